"""Reads what a provider wrote, field by field: signed is not the same as sane, nor as storable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from fairwatt.payments.contract import AMOUNT_MINOR_MAX

_REFERENCE: Final = re.compile(r"[\x21-\x7e]{1,80}")


class Fields:
    """One object of a provider's answer. What is missing or strange raises what `wrong` makes of a sentence."""

    __slots__ = ("_content", "_wrong")

    def __init__(self, content: Any, *, wrong: Callable[[str], Exception]) -> None:
        """Raises what `wrong` makes when the content is no object."""
        self._wrong = wrong
        if not isinstance(content, Mapping):
            raise wrong("what should be an object is not; no money was moved")
        self._content: Mapping[str, Any] = content

    @classmethod
    def of_json(cls, body: bytes, *, wrong: Callable[[str], Exception]) -> Fields:
        """Read JSON; its fractions stay text, so no float is ever made of money."""
        try:
            return cls(json.loads(body, parse_float=str), wrong=wrong)
        except (ValueError, RecursionError):
            raise wrong("it is not JSON; no money was moved") from None

    def __contains__(self, name: str) -> bool:
        return self._content.get(name) not in (None, "")

    def inner(self, name: str) -> Fields:
        """An object in it."""
        return Fields(self._content.get(name), wrong=self._wrong)

    def rows(self, name: str) -> list[Fields]:
        """The objects of a list in it; a list that is not there has none."""
        found = self._content.get(name) or []
        if not isinstance(found, list):
            raise self._wrong(f"{name} is no list; no money was moved")
        return [Fields(one, wrong=self._wrong) for one in found]

    def nested_rows(self, name: str) -> list[Fields]:
        """The objects of the lists in a list, for a provider that wraps its pages so."""
        found = self._content.get(name) or []
        if not isinstance(found, list) or not all(isinstance(one, list) for one in found):
            raise self._wrong(f"{name} is no list of lists; no money was moved")
        return [Fields(one, wrong=self._wrong) for page in found for one in page]

    def word(self, name: str) -> str:
        """A reference or a code: 1 to 80 printable ASCII characters, which any database can keep."""
        found = self._content.get(name)
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if not isinstance(found, str) or not _REFERENCE.fullmatch(found):
            raise self._wrong(f"{name} is no plain reference; no money was moved")
        return found

    def maybe(self, name: str) -> str:
        """The same where it may be missing or strange: then it is empty."""
        found = self._content.get(name)
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        return found if isinstance(found, str) and _REFERENCE.fullmatch(found) else ""

    def text(self, name: str) -> str:
        """Any text, as long as the whole message may be."""
        found = self._content.get(name)
        if not isinstance(found, str):
            raise self._wrong(f"{name} is no text; no money was moved")
        return found

    def whole(self, name: str) -> int:
        """A whole number in the range of amounts, zero included."""
        found = self._content.get(name)
        if type(found) is not int or not 0 <= found <= AMOUNT_MINOR_MAX:
            raise self._wrong(f"{name} is no whole number from 0 to {AMOUNT_MINOR_MAX}; no money was moved")
        return found

    def signed(self, name: str) -> int:
        """A whole number that may be below zero."""
        found = self._content.get(name)
        if type(found) is not int or abs(found) > AMOUNT_MINOR_MAX:
            raise self._wrong(f"{name} is no whole number; no money was moved")
        return found

    def yes(self, name: str) -> bool:
        """Whether it says `true`."""
        return self._content.get(name) is True

    def parsed[T](self, name: str, parse: Callable[[str], T]) -> T:
        """A text that `parse` understands (it raises ValueError where not)."""
        try:
            return parse(self.text(name))
        except (ValueError, OverflowError):
            raise self._wrong(f"{name} cannot be understood; no money was moved") from None
