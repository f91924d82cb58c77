"""Wording with places and plurals, as ICU MessageFormat writes them: ``{days, plural, one {# day} other {# days}}``.

Strict: a place that is not known, or not given, is refused; nobody is ever sent a hole.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from fairwatt.core.refusal import Refusal

_NAME: Final = re.compile(r"[a-z][a-z_]*")
_CASE: Final = re.compile(r"=\d{1,9}|zero|one|two|few|many|other")
DEPTH_MAX: Final = 4
type Value = str | int


class BadWording(Refusal):
    """A text cannot be used as it is written; nothing was saved or sent."""

    code = "bad_wording"


@dataclass(frozen=True, slots=True)
class Place:
    """A value, as it is given."""

    name: str


@dataclass(frozen=True, slots=True)
class Count:
    """The number that a plural counts: `#`."""

    name: str


@dataclass(frozen=True, slots=True)
class Plural:
    """Wording that depends on a number."""

    name: str
    cases: Mapping[str, tuple[Part, ...]]


type Part = str | Place | Count | Plural


def parse(text: str) -> tuple[Part, ...]:
    """Read a wording. Raises BadWording with the letter at which it stops making sense."""
    parts, at = _parts(text, 0, None, 0)
    if at != len(text):
        raise BadWording("The brace at letter %(at)d closes nothing.", at=at + 1)
    return parts


def places(parts: tuple[Part, ...]) -> Iterator[str]:
    """The names of all places, as they come."""
    for part in parts:
        if isinstance(part, Place | Count | Plural):
            yield part.name
        if isinstance(part, Plural):
            for inner in part.cases.values():
                yield from places(inner)


def check(text: str, *, known: Collection[str]) -> tuple[Part, ...]:
    """Read a wording whose places must all be known. Raises BadWording."""
    parts = parse(text)
    for name in places(parts):
        if name not in known:
            raise BadWording(
                "{%(name)s} is no word that this message knows. It knows: %(known)s.",
                name=name,
                known=", ".join(sorted(known)),
            )
    return parts


def fill(text: str, *, values: Mapping[str, Value], language: str) -> str:
    """Fill a wording in. Raises BadWording where a place has no value or a plural no number."""
    return "".join(_filled(part, values, language) for part in parse(text))


def plural_case(*, n: int, language: str) -> str:
    """The CLDR plural category of a whole number in the languages that we write: English and Chinese."""
    return "one" if n == 1 and language.startswith("en") else "other"


def _filled(part: Part, values: Mapping[str, Value], language: str) -> str:
    if isinstance(part, str):
        return part
    if part.name not in values:
        raise BadWording("Nothing is known for {%(name)s}; the message was not made.", name=part.name)
    value = values[part.name]
    if isinstance(part, Place):
        return str(value)
    if type(value) is not int:
        raise BadWording("{%(name)s} counts, but %(value)s is no number.", name=part.name, value=value)
    if isinstance(part, Count):
        return str(value)
    case = f"={value}" if f"={value}" in part.cases else plural_case(n=value, language=language)
    chosen = part.cases.get(case, part.cases["other"])
    return "".join(_filled(inner, values, language) for inner in chosen)


def _parts(text: str, at: int, counts: str | None, depth: int) -> tuple[tuple[Part, ...], int]:
    """Read up to the brace that closes what is around; `counts` is the number that `#` stands for."""
    if depth > DEPTH_MAX:
        raise BadWording("Braces lie more than %(most)d deep in one another.", most=DEPTH_MAX)
    found: list[Part] = []
    plain: list[str] = []
    while at < len(text) and text[at] != "}":
        letter = text[at]
        if letter == "'" and at + 1 < len(text) and text[at + 1] in "'{}#":
            # ICU's way to write a brace: '{' ; two quotes are one.
            end = at + 2 if text[at + 1] == "'" else text.find("'", at + 2) + 1 or len(text)
            plain.append("'" if text[at + 1] == "'" else text[at + 1 : end - 1])
            at = end
        elif letter == "{":
            part, at = _braced(text, at + 1, depth)
            found += [*_joined(plain), part]
        elif letter == "#" and counts is not None:
            found += [*_joined(plain), Count(counts)]
            at += 1
        else:
            plain.append(letter)
            at += 1
    return (*found, *_joined(plain)), at


def _joined(plain: list[str]) -> list[str]:
    text = "".join(plain)
    plain.clear()
    return [text] if text else []


def _braced(text: str, at: int, depth: int) -> tuple[Part, int]:
    at = _skip(text, at)
    name = _NAME.match(text, at)
    if name is None:
        raise BadWording("At letter %(at)d a name in small letters is wanted.", at=at + 1)
    at = _skip(text, name.end())
    if text[at : at + 1] == "}":
        return Place(name[0]), at + 1
    word = re.compile(r",\s*plural\s*,").match(text, at)
    if word is None:
        raise BadWording("After {%(name)s a brace or the word plural is wanted.", name=name[0])
    cases: dict[str, tuple[Part, ...]] = {}
    at = _skip(text, word.end())
    while text[at : at + 1] != "}":
        case = _CASE.match(text, at)
        opened = _skip(text, case.end()) if case else at
        if case is None or case[0] in cases or text[opened : opened + 1] != "{":
            raise BadWording("At letter %(at)d a case is wanted, such as one {…} or other {…}.", at=at + 1)
        cases[case[0]], at = _parts(text, opened + 1, name[0], depth + 1)
        if text[at : at + 1] != "}":
            raise BadWording("A brace of {%(name)s, plural is not closed.", name=name[0])
        at = _skip(text, at + 1)
    if "other" not in cases:
        raise BadWording("{%(name)s, plural needs the case other {…}.", name=name[0])
    return Plural(name[0], cases), at + 1


def _skip(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at
