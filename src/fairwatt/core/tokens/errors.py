"""The family of everything that can be wrong with a code, a meter's number or a key's name."""

from __future__ import annotations

from fairwatt.core.refusal import Refusal


class TokenError(Refusal):
    """A code cannot be made, read or accepted. `code` is stable and fit for an event or a figure."""

    code = "token"


class OutOfRange(TokenError):
    """A field holds what its bits or its meaning do not allow."""

    code = "out_of_range"


_SHOWN_BITS_MAX = 128


def shown(number: int) -> int | str:
    """A number as it stands in a sentence; one of thousands of digits is not written out."""
    return number if number.bit_length() <= _SHOWN_BITS_MAX else "…"


def within(what: str, said: int, least: int, most: int) -> None:
    """Raise OutOfRange unless `least <= said <= most`."""
    if not least <= said <= most:
        raise OutOfRange(
            "%(what)s is %(said)s; a code carries %(least)s to %(most)s. No code was made; correct it.",
            what=what,
            said=shown(said),
            least=least,
            most=most,
        )
