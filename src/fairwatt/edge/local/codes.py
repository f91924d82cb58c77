"""The kinds of codes a person may type at one and the same place. A kind is one entry of `kinds_of`.

Kinds are told apart by their length alone, before anything of a code is believed.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from fairwatt.core.commands import restore_code
from fairwatt.core.tokens.code import DIGITS as TOKEN_DIGITS
from fairwatt.edge.local.answers import Answer
from fairwatt.edge.local.emergency import Emergency
from fairwatt.edge.local.tokens import Tokens

Entering = Callable[[int, str, int, bool], Awaitable[Answer]]
"""(meter, digits, now_us, proven) -> what came of it. Proven: who types has shown that the meter is theirs to type
at, so no stranger's wrong tries lock them out, nor theirs a stranger."""


class CodeKind(NamedTuple):
    """Codes of so many digits, and who takes them."""

    digits: int
    enter: Entering


def kinds_of(*, emergency: Emergency, tokens: Tokens) -> tuple[CodeKind, ...]:
    """What can be typed at this gateway."""

    async def restore(meter: int, digits: str, now_us: int, proven: bool) -> Answer:
        return await emergency.enter(meter=meter, digits=digits, now_us=now_us, proven=proven)

    async def token(meter: int, digits: str, now_us: int, proven: bool) -> Answer:
        return await tokens.enter(meter=meter, digits=digits, now_us=now_us, proven=proven)

    return CodeKind(restore_code.DIGITS, restore), CodeKind(TOKEN_DIGITS, token)


async def enter_code(
    *, kinds: tuple[CodeKind, ...], meter: int, text: str, now_us: int, proven: bool
) -> Answer:
    """Give typed text to the kind of code it can be."""
    digits = restore_code.plain_digits(text[:200])
    for kind in kinds:
        if digits.isascii() and digits.isdecimal() and len(digits) == kind.digits:
            return await kind.enter(meter, digits, now_us, proven)
    return Answer("unknown_code")
