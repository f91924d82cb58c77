"""The name of a line that a person can write down: book, wallet and place in the wallet, such as 1-17-342."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ID: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,15})-([0-9]{1,15})")


class NotALineId(ValueError):
    """The text is no line id; nothing was looked up."""


@dataclass(frozen=True, slots=True)
class LineId:
    """A line for ever: its book, its wallet, and its number in the wallet (seq, from 1)."""

    book: int
    wallet: int
    seq: int

    def __str__(self) -> str:
        return f"{self.book}-{self.wallet}-{self.seq}"


def parse_line_id(text: str) -> LineId:
    """Read a line id. Raises NotALineId with an example of one."""
    found = _ID.fullmatch(text.strip())
    if found is None:
        raise NotALineId(
            f"{text[:60]!r} is no line id. It has three numbers, book-wallet-place, such as 1-17-342; each charge on "
            "the account page shows its own. Nothing was looked up and nothing changed."
        )
    return LineId(*(int(part) for part in found.groups()))
