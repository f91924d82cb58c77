"""Walk a YAML text by its nodes, so that every error names its line and every number stays text."""

import re
from dataclasses import dataclass

import yaml

from fairwatt.core.rating.elements.energy_blocks import TariffError

MAX_TEXT = 256 * 1024
_DECIMAL = re.compile(r"(-?)(\d{1,15})(?:\.(\d+))?")


class TariffFileError(TariffError):
    """A tariff file that cannot be read; ``line`` counts from 1, the message starts with it."""

    def __init__(self, *, line: int, meaning: str) -> None:
        super().__init__(f"line {line}: {meaning}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Reader:
    """One node of a tariff file, asked for what it should be."""

    node: yaml.Node

    @classmethod
    def of_text(cls, text: str) -> "Reader":
        """Read the top node; raises ``TariffFileError`` for broken YAML."""
        if len(text) > MAX_TEXT:
            raise TariffFileError(line=1, meaning=f"the file is longer than {MAX_TEXT} characters")
        try:
            # A few lines of nested aliases can stand for billions of nodes.
            for token in yaml.scan(text):
                if isinstance(token, yaml.AliasToken):
                    line = token.start_mark.line + 1
                    raise TariffFileError(line=line, meaning="aliases (*name) are not read; write it out")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = 1 if mark is None else mark.line + 1
            problem = getattr(error, "problem", None) or "broken"
            raise TariffFileError(line=line, meaning=f"this is not YAML: {problem}") from error
        except RecursionError as error:
            raise TariffFileError(line=1, meaning="the file is nested too deeply") from error
        if node is None:
            raise TariffFileError(line=1, meaning="the file is empty")
        return cls(node)

    def wrong(self, meaning: str) -> TariffFileError:
        """Make the error that this node deserves."""
        return TariffFileError(line=self.node.start_mark.line + 1, meaning=meaning)

    def only(self, *keys: str) -> None:
        """Refuse keys that are not known here, and keys written twice."""
        seen: set[str] = set()
        for key, _ in self._pairs():
            if key.text() not in keys:
                raise key.wrong(f"{key.text()!r} is not known here; known are: {', '.join(keys)}")
            if key.text() in seen:
                raise key.wrong(f"{key.text()!r} is written twice")
            seen.add(key.text())

    def find(self, key: str) -> "Reader | None":
        """Return the value of a key, or ``None`` when it is left out."""
        return next((value for name, value in self._pairs() if name.text() == key), None)

    def get(self, key: str) -> "Reader":
        """Return the value of a key that must be there."""
        found = self.find(key)
        if found is None:
            raise self.wrong(f"{key!r} is missing")
        return found

    def single(self, *keys: str) -> "tuple[str, Reader]":
        """Return the one key of a mapping that holds exactly one of the known keys."""
        self.only(*keys)
        pairs = self._pairs()
        if len(pairs) != 1:
            raise self.wrong(f"one of {', '.join(keys)} belongs here")
        return pairs[0][0].text(), pairs[0][1]

    def items(self) -> "list[Reader]":
        """Return the entries of a list that must not be empty."""
        if not isinstance(self.node, yaml.SequenceNode) or not self.node.value:
            raise self.wrong("a list with at least one entry belongs here")
        return [Reader(item) for item in self.node.value]

    def text(self) -> str:
        """Return a plain value exactly as written."""
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value:
            raise self.wrong("a plain value belongs here")
        return str(self.node.value)

    def scaled(self, *, decimals: int) -> int:
        """Return a decimal number times ``10**decimals``, exactly; more decimals are an error."""
        match = _DECIMAL.fullmatch(self.text())
        if match is None:
            raise self.wrong(f"{self.text()!r} is not a plain decimal number such as 0.538")
        sign, whole, part = match.group(1), match.group(2), match.group(3) or ""
        if len(part.rstrip("0")) > decimals:
            raise self.wrong(f"{self.text()!r} has more than {decimals} decimals and would be rounded")
        value = int(whole + part[:decimals].ljust(decimals, "0"))
        return -value if sign else value

    def _pairs(self) -> "list[tuple[Reader, Reader]]":
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong("words with values (key: value) belong here")
        return [(Reader(key), Reader(value)) for key, value in self.node.value]
