"""The kinds of codes by the names people type, and what each needs to be told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fairwatt.core.tokens.credit import CurrencyCredit, Resource, TransferCredit
from fairwatt.core.tokens.kinds import Credit, Setting, Showing, Token
from fairwatt.core.tokens.settings import (
    ALL_REGISTERS,
    ClearCredit,
    ClearTamper,
    Extended,
    PowerLimit,
    TariffRate,
    UnbalanceLimit,
    WaterFactor,
)
from fairwatt.core.tokens.showing import ExtendedRead, MeterTest, WideMakerTest
from fairwatt.server.errors import BadInput

_MONEY: Final = "-money"
_SHOWINGS: Final = ("test", "wide-test", "extended-read")
_SETTINGS: Final[dict[str, type[Setting]]] = {
    "power-limit": PowerLimit,
    "unbalance-limit": UnbalanceLimit,
    "clear-credit": ClearCredit,
    "tariff-rate": TariffRate,
    "clear-tamper": ClearTamper,
    "water-factor": WaterFactor,
    "extended": Extended,
}
_RESOURCES: Final = {one.name.lower(): one for one in Resource}
KINDS: Final = (*_RESOURCES, *(name + _MONEY for name in _RESOURCES), *_SETTINGS, *_SHOWINGS)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was typed behind the kind."""

    kind: str
    amount: str = ""
    value: str = ""
    index: int = 63
    control: str = "0"
    maker: int = 0


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes a code once its identifier is known; class 1 has none."""

    token_class: int
    at: Callable[[int], Token]
    sold_at: Callable[[int], Credit | Setting]


def maker_of(asked: Asked, *, rnd: int) -> Maker:
    """What makes the code that was asked for. Raises BadInput; making raises TokenError."""
    if asked.kind in _SHOWINGS:
        showing = _showing(asked)
        return Maker(token_class=showing.token_class, at=lambda _: showing, sold_at=_never)
    sold = _setting(asked, rnd) if asked.kind in _SETTINGS else _credit(asked, rnd)
    return Maker(token_class=0 if asked.kind not in _SETTINGS else 2, at=sold, sold_at=sold)


def _never(_: int) -> Credit | Setting:
    raise AssertionError("class 1 is not sold: it carries nothing")


def _credit(asked: Asked, rnd: int) -> Callable[[int], Credit]:
    resource = _RESOURCES.get(asked.kind.removesuffix(_MONEY))
    if resource is None:
        raise BadInput(f"There is no kind {asked.kind!r}. No code was made; take one of {', '.join(KINDS)}.")
    if asked.kind.endswith(_MONEY):
        money = _scaled(asked.amount, digits=5)
        return lambda tid: CurrencyCredit(resource=resource, tid=tid, amount_1e5=money)
    tenths = _scaled(asked.amount, digits=1)
    return lambda tid: TransferCredit(resource=resource, tid=tid, rnd=rnd, tenths=tenths)


def _setting(asked: Asked, rnd: int) -> Callable[[int], Setting]:
    kind = _SETTINGS[asked.kind]
    if kind is ClearTamper:
        return lambda tid: ClearTamper(tid=tid, rnd=rnd)
    if kind is ClearCredit and asked.value == "all":
        return lambda tid: ClearCredit(tid=tid, rnd=rnd, value=ALL_REGISTERS)
    if not re.fullmatch("[0-9]{1,12}", asked.value):
        raise BadInput(f"{asked.kind} needs a whole number. No code was made; say it with --value.")
    value = int(asked.value)
    if kind is Extended:
        if not (0 <= asked.index <= 63 and value <= 1_023):
            raise BadInput("An extended code has an index to 63 and a value to 1023. No code was made.")
        value |= asked.index << 10
    return lambda tid: kind(tid=tid, rnd=rnd, value=value)


def _showing(asked: Asked) -> Showing:
    try:
        control = int(asked.control, 16)
    except ValueError:
        raise BadInput(f"--control {asked.control[:20]!r} is not hexadecimal. No code was made.") from None
    match asked.kind:
        case "test":
            return MeterTest(control=control, maker=asked.maker)
        case "wide-test":
            return WideMakerTest(control=control, maker=asked.maker)
        case _:
            return ExtendedRead(control=control)


def _scaled(said: str, *, digits: int) -> int:
    """A written amount in its smallest step, exactly. Raises BadInput."""
    written = re.fullmatch(rf"(-?)([0-9]{{1,40}})(?:\.([0-9]{{1,{digits}}}))?", said.strip())
    if written is None:
        raise BadInput(
            f"--amount {said[:30]!r} is no number with at most {digits} decimals. No code was made; say it as 25.6."
        )
    sign, whole, part = written.groups(default="")
    return int(f"{sign}{whole}{part:0<{digits}}")
