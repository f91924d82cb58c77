"""A receipt on paper: A4, or a slip of 80 or 58 mm, with a code that leads to the page where it is verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fairwatt.reports.typeset import drawn_code, set_sheet

PAPERS: Final = ("a4", "80", "58")


@dataclass(frozen=True, kw_only=True)
class Paper:
    """What a receipt says, in the reader's language. `mark`: that it was taken back, or empty."""

    title: str
    organisation: str
    place: str
    amount: str
    rows: Sequence[tuple[str, str]]
    mark: str
    verify: str
    url: str
    language: str
    at_us: int


def set_receipt(*, said: Paper, paper: str) -> bytes:
    """The PDF; the same receipt gives the same bytes. `paper` is one of PAPERS."""
    if paper not in PAPERS:
        raise ValueError(f"a receipt is set on one of {PAPERS}, not on {paper!r}")
    content = {
        "paper": paper,
        "language": "zh" if said.language.startswith("zh") else "en",
        "title": said.title,
        "organisation": said.organisation,
        "place": said.place,
        "amount": said.amount,
        "rows": list(said.rows),
        "mark": said.mark,
        "verify": said.verify,
        "url": said.url,
        "code": drawn_code(said.url),
    }
    return set_sheet(sheet="receipt", content=content, at_us=said.at_us)
