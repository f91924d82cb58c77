"""What a code did, in plain words."""

from __future__ import annotations

from typing import Final, assert_never

from fairwatt.core.refusal import Sentence

from .credit import CurrencyCredit, Resource, TransferCredit
from .key_change import GroupSection, KeySection1, KeySection2, KeySection3, KeySection4
from .kinds import Token
from .settings import (
    ALL_REGISTERS,
    ClearCredit,
    ClearTamper,
    Extended,
    PowerLimit,
    TariffRate,
    UnbalanceLimit,
    WaterFactor,
)
from .showing import ExtendedRead, MeterTest, WideMakerTest

_CURRENCY_PLACES: Final = 5


def did(token: Token) -> Sentence:
    """Say what a code did to the meter that took it."""
    match token:
        case TransferCredit():
            return _added(token)
        case CurrencyCredit():
            return _money(token)
        case MeterTest() | WideMakerTest() | ExtendedRead():
            return Sentence(
                "The meter shows what this code asks for. Its credit and settings are as they were."
            )
        case PowerLimit(value=watts):
            return Sentence("The meter now cuts above %(watts)s W.", {"watts": watts})
        case UnbalanceLimit(value=watts):
            return Sentence(
                "The meter now cuts when its phases differ by more than %(watts)s W.", {"watts": watts}
            )
        case ClearCredit(value=register):
            if register == ALL_REGISTERS:
                return Sentence("All credit in the meter was set to zero.")
            return Sentence("The meter's credit was set to zero.")
        case TariffRate(value=rate):
            return Sentence("The meter now counts by its tariff number %(rate)s.", {"rate": rate})
        case ClearTamper():
            return Sentence("The meter's tamper alarm was cleared.")
        case WaterFactor(value=factor):
            return Sentence("The water meter's factor is now %(factor)s.", {"factor": factor})
        case Extended(index=index, content=content):
            return Sentence(
                "Function %(index)s of the meter was set to %(content)s.",
                {"index": index, "content": content},
            )
        case KeySection1() | KeySection2() | KeySection3() | GroupSection() | KeySection4():
            return Sentence("The key change is whole: the meter has its new key. Credit is as it was.")
        case _:
            assert_never(token)


def _added(token: TransferCredit) -> Sentence:
    whole, tenths = divmod(token.carried, 10)
    said = {"amount": f"{whole:,}.{tenths}"}
    match token.resource:
        case Resource.ELECTRICITY:
            return Sentence("%(amount)s kWh were added.", said)
        case Resource.WATER:
            return Sentence("%(amount)s m³ of water were added.", said)
        case Resource.GAS:
            return Sentence("%(amount)s m³ of gas were added.", said)
        case Resource.TIME:
            return Sentence("%(amount)s minutes were added.", said)
        case _:
            assert_never(token.resource)


def _money(token: CurrencyCredit) -> Sentence:
    whole, part = divmod(abs(token.carried), 10**_CURRENCY_PLACES)
    said = {"amount": f"{whole:,}.{part:0{_CURRENCY_PLACES}d}"}
    if token.carried < 0:
        return Sentence("%(amount)s was taken from the balance.", said)
    return Sentence("%(amount)s was added to the balance.", said)
