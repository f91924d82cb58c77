"""Walk a YAML text by its nodes, so that every error names its line and every number stays text."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

import yaml

from fairwatt.core.rating.elements.base import (
    DoublyPriced,
    PriceOutOfRange,
    TariffError,
    UnpricedInstant,
    check_price,
)

MAX_TEXT = 256 * 1024
MAX_TOKENS: Final = 60_000
"""A year of half-hourly prices written out has 35,000; reading so many takes a second or two."""
MAX_DEPTH: Final = 32
"""A tariff needs about ten."""
MAX_ERRORS: Final = 50
UNKNOWN: Final = "unknown"
_DECIMAL = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]+))?")
_OPENS: Final = (
    *(yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken),
    *(yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken),
)
_CLOSES: Final = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Control characters, halves of characters, and what turns the direction of the text behind it."""
_CODES: Final[dict[type[TariffError], str]] = {
    UnpricedInstant: "gap",
    DoublyPriced: "overlap",
    PriceOutOfRange: "out_of_range",
}


class TariffFileError(TariffError):
    """A tariff file that cannot be read; ``line`` and ``column`` count from 1, the message starts with the line.

    ``code`` is a word for the kind of fault. ``all`` holds every fault that was found, this one first.
    """

    def __init__(self, *, line: int, meaning: str, column: int = 1, code: str = "wrong") -> None:
        super().__init__(f"line {line}: {meaning}")
        self.line = line
        self.column = column
        self.code = code
        self.meaning = meaning
        self.all: tuple[TariffFileError, ...] = (self,)


@dataclass(frozen=True, slots=True)
class Reader:
    """One node of a tariff file, asked for what it should be."""

    node: yaml.Node
    found: list[TariffFileError] = field(default_factory=list)

    @classmethod
    def of_text(cls, text: str) -> "Reader":
        """Read the top node; raises ``TariffFileError`` for broken YAML."""
        if len(text) > MAX_TEXT:
            raise TariffFileError(
                line=1,
                code="too_long",
                meaning=f"the file is longer than {MAX_TEXT} characters; put a long series into a file of its own",
            )
        try:
            _check_tokens(text)
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            # Where a bracket or quote was opened says more than where the text ended without its other half.
            mark = getattr(error, "context_mark", None) or getattr(error, "problem_mark", None)
            line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
            problem = getattr(error, "problem", None) or "broken"
            raise TariffFileError(
                line=line,
                column=column,
                code="not_yaml",
                meaning=f"this is not YAML: {problem}; look for a missing quote, bracket, colon or blank near here",
            ) from error
        except RecursionError as error:
            raise TariffFileError(line=1, code="not_yaml", meaning="the file is nested too deeply") from error
        if node is None:
            raise TariffFileError(line=1, code="empty", meaning="the file is empty")
        return cls(node)

    def wrong(self, meaning: str, *, code: str = "wrong") -> TariffFileError:
        """Make the error that this node deserves."""
        mark = self.node.start_mark
        return TariffFileError(line=mark.line + 1, column=mark.column + 1, code=code, meaning=meaning)

    def because(self, error: TariffError) -> TariffFileError:
        """Make the error of a node whose parts are readable but contradict each other."""
        if isinstance(error, TariffFileError):
            return error
        return self.wrong(str(error), code=_CODES.get(type(error), "contradiction"))

    def note(self, error: TariffError) -> None:
        """Remember a fault and go on reading, so that one run names many."""
        if len(self.found) < MAX_ERRORS:
            self.found.append(self.because(error))

    def child(self, node: yaml.Node) -> "Reader":
        """A node below this one, noting faults in the same place."""
        return Reader(node, self.found)

    def only(self, *keys: str) -> None:
        """Refuse keys that are not known here, and keys written twice."""
        seen: set[str] = set()
        for key, _ in self._pairs():
            word = key.text()
            if word not in keys:
                near = get_close_matches(word, keys, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise key.wrong(
                    f"{word!r} is not known here; {hint}known are: {', '.join(keys)}", code="unknown_key"
                )
            if word in seen:
                raise key.wrong(f"{word!r} is written twice; keep one", code="doubled_key")
            seen.add(word)

    def has(self, key: str) -> bool:
        """Say whether a key is there."""
        return self.find(key) is not None

    def find(self, key: str) -> "Reader | None":
        """Return the value of a key, or ``None`` when it is left out."""
        return next((value for name, value in self._pairs() if name.text() == key), None)

    def get(self, key: str) -> "Reader":
        """Return the value of a key that must be there."""
        found = self.find(key)
        if found is None:
            raise self.wrong(f"{key!r} is missing", code="missing_key")
        return found

    def pairs(self) -> "list[tuple[Reader, Reader]]":
        """Return the keys and values of a mapping, in order."""
        return self._pairs()

    def single(self, *keys: str) -> "tuple[str, Reader]":
        """Return the one key of a mapping that holds exactly one of the known keys."""
        self.only(*keys)
        pairs = self._pairs()
        if len(pairs) != 1:
            raise self.wrong(f"one of {', '.join(keys)} belongs here", code="missing_key")
        return pairs[0][0].text(), pairs[0][1]

    def one_of(self, *keys: str) -> "tuple[str, Reader]":
        """Return the one of these keys that a mapping has; other keys may stand beside it."""
        there = [(key.text(), value) for key, value in self._pairs() if key.text() in keys]
        if len(there) != 1:
            said = "none is there" if not there else f"{' and '.join(key for key, _ in there)} are there"
            raise self.wrong(f"exactly one of {', '.join(keys)} belongs here, {said}", code="missing_key")
        return there[0]

    def is_mapping(self) -> bool:
        """Say whether it has keys."""
        return isinstance(self.node, yaml.MappingNode)

    def is_list(self) -> bool:
        """Say whether it is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def items(self) -> "list[Reader]":
        """Return the entries of a list that must not be empty."""
        if not isinstance(self.node, yaml.SequenceNode) or not self.node.value:
            raise self.wrong("a list with at least one entry belongs here, such as [a, b]", code="not_a_list")
        return [self.child(item) for item in self.node.value]

    def each[T](self, read: "Callable[[Reader], T]") -> list[T]:
        """Read every entry of a list; faults are noted, and what could be read is returned."""
        made = []
        for item in self.items():
            try:
                made.append(read(item))
            except TariffError as error:
                item.note(error)
        return made

    def text(self) -> str:
        """Return a plain value exactly as written."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value:
            raise self.wrong("a plain value belongs here", code="not_plain")
        return str(self.node.value)

    def word(self, *known: str) -> str:
        """Return a plain value that must be one of the known words."""
        if self.text() not in known:
            near = get_close_matches(self.text(), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self.wrong(f"{self.text()!r} is none of {', '.join(known)}{hint}", code="unknown_word")
        return self.text()

    def truth(self) -> bool:
        """Return true or false."""
        return self.word("true", "false") == "true"

    def whole(self, *, low: int, high: int) -> int:
        """Return a whole number between two limits, both included."""
        value = self.scaled(decimals=0)
        if not low <= value <= high:
            raise self.wrong(f"{value} is not between {low} and {high}", code="out_of_range")
        return value

    def scaled(self, *, decimals: int) -> int:
        """Return a decimal number times ``10**decimals``, exactly; more decimals are an error."""
        match = _DECIMAL.fullmatch(self.text())
        if match is None:
            raise self.wrong(
                f"{self.text()!r} is not a plain decimal number such as 0.538", code="not_a_number"
            )
        sign, whole, part = match.group(1), match.group(2), match.group(3) or ""
        if len(part.rstrip("0")) > decimals:
            raise self.wrong(
                f"{self.text()!r} has more than {decimals} decimals and would be rounded", code="too_fine"
            )
        value = int(whole + part[:decimals].ljust(decimals, "0"))
        return -value if sign else value

    def price(self) -> int:
        """Return a price of one unit in micro-units."""
        if self.text() == UNKNOWN:
            raise self.wrong(
                "`unknown` stands only for the price of a block that is counted unit by unit, in `price` or `prices` "
                "of an `energy` or its periods; not in `cases`, `band: whole` or a package",
                code="contradiction",
            )
        value = self.scaled(decimals=6)
        try:
            check_price(value, of=self.text())
        except PriceOutOfRange as error:
            raise self.because(error) from error
        return value

    def price_or_unknown(self) -> int | None:
        """Return a price of one unit, or ``None`` where the source does not tell it."""
        return None if self.text() == UNKNOWN else self.price()

    def positive(self, *, decimals: int) -> int:
        """Return a decimal number that is not below zero, scaled as ``scaled`` does."""
        value = self.scaled(decimals=decimals)
        if value < 0:
            raise self.wrong(f"{self.text()!r} is below zero; this is never negative", code="out_of_range")
        return value

    def _pairs(self) -> "list[tuple[Reader, Reader]]":
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong("words with values (key: value) belong here", code="not_keys")
        return [(self.child(key), self.child(value)) for key, value in self.node.value]


def _check_tokens(text: str) -> None:
    """Refuse, token by token, what would cost more to read than its length says, and what cannot be printed."""
    depth = 0
    for count, token in enumerate(yaml.scan(text)):
        code, meaning = "", ""
        if count > MAX_TOKENS:
            code, meaning = "too_long", "too many values up to here; put a long series into a file of its own"
        elif isinstance(token, _OPENS):
            depth += 1
            if depth > MAX_DEPTH:
                code = "too_deep"
                meaning = (
                    f"more than {MAX_DEPTH} lists and mappings inside each other; look for a bracket too many"
                )
        elif isinstance(token, _CLOSES):
            depth -= 1
        elif isinstance(token, yaml.AliasToken):
            # A few lines of nested aliases can stand for billions of nodes.
            code, meaning = "alias", "aliases (*name) are not read; write it out"
        elif isinstance(token, yaml.ScalarToken) and (found := _UNPRINTABLE.search(token.value)):
            code = "control_character"
            meaning = f"the character U+{ord(found[0]):04X} cannot be printed on a bill; leave it out"
        if code:
            mark = token.start_mark
            raise TariffFileError(line=mark.line + 1, column=mark.column + 1, code=code, meaning=meaning)
