"""What a meter with a wallet of its own holds: remaining money and energy, limits, purchases.

Only a profile says that a model has these, under which identifiers, and in which encoding: vendors differ.
Money is whole micro-units of the meter's currency, energy whole Wh.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fairwatt.drivers.contract import DriverError, Exchange
from fairwatt.drivers.errors import UnreadableValue
from fairwatt.drivers.several import Several

from .client import read_item
from .codec import decode_bcd, encode_bcd
from .errors import MeterRefused
from .exchange import STANDARD_RETRY, Retry


class Encoding(StrEnum):
    """How a vendor writes an amount of hundredths."""

    BCD = "bcd"  # the standard's: XXXXXX.XX, lowest byte first
    CENTS_LE = "cents_le"  # a binary number of hundredths, lowest byte first


@dataclass(frozen=True, slots=True)
class PrepaidItem:
    """One of a meter's own accounts: `unit` is what one hundredth (or one count) is worth in ours."""

    name: str
    identifier: int
    size: int
    unit: int
    encoding: Encoding = Encoding.BCD

    def decode(self, data: bytes) -> int:
        """Turn the value of a reply into our unit. Raises `UnreadableValue`."""
        if len(data) != self.size:
            raise UnreadableValue(what=self.name, data=data)
        if self.encoding is Encoding.CENTS_LE:
            return int.from_bytes(data, "little") * self.unit
        return decode_bcd(data, what=self.name) * self.unit

    def encode(self, amount: int) -> bytes:
        """Turn our unit into the value of a reply, cut to what the meter can show."""
        if self.encoding is Encoding.CENTS_LE:
            return (amount // self.unit).to_bytes(self.size, "little")
        return encode_bcd(amount // self.unit, size=self.size)


@dataclass(frozen=True, slots=True)
class MeterWallet:
    """What the meter holds by itself; None where the model does not have it or does not tell it."""

    remaining_micro: int | None = None
    overdraft_micro: int | None = None
    remaining_wh: int | None = None
    overdraft_wh: int | None = None
    alarm_1_micro: int | None = None
    alarm_2_micro: int | None = None
    overdraft_limit_micro: int | None = None
    hoarding_limit_micro: int | None = None
    close_permit_micro: int | None = None
    purchases: int | None = None
    purchased_micro: int | None = None
    purchased_wh: int | None = None


_CENT_MICRO: Final = 10_000
_HUNDREDTH_WH: Final = 10
# Name: the standard's identifier, its bytes, and what one of its last digit is worth.
_STANDARD: Final = {
    "remaining_micro": (0x00900200, 4, _CENT_MICRO),
    "overdraft_micro": (0x00900201, 4, _CENT_MICRO),
    "remaining_wh": (0x00900100, 4, _HUNDREDTH_WH),
    "overdraft_wh": (0x00900101, 4, _HUNDREDTH_WH),
    "alarm_1_micro": (0x04001001, 4, _CENT_MICRO),
    "alarm_2_micro": (0x04001002, 4, _CENT_MICRO),
    "overdraft_limit_micro": (0x04001003, 4, _CENT_MICRO),
    "hoarding_limit_micro": (0x04001004, 4, _CENT_MICRO),
    "close_permit_micro": (0x04001005, 4, _CENT_MICRO),
    "purchases": (0x03330201, 2, 1),
    "purchased_micro": (0x03330601, 4, _CENT_MICRO),
    "purchased_wh": (0x03320601, 4, _HUNDREDTH_WH),
}


def prepaid_items(*, table: dict[str, Any]) -> tuple[PrepaidItem, ...]:
    """Read `[prepaid.items]` of a profile: `name = "standard"` or its own identifier, bytes and encoding.

    Raises KeyError or ValueError for a name or an encoding that is none.
    """
    return tuple(_item(name, said) for name, said in table.items())


def _item(name: str, said: Any) -> PrepaidItem:
    identifier, size, unit = _STANDARD[name]
    if said == "standard":
        return PrepaidItem(name, identifier, size, unit)
    return PrepaidItem(
        name=name,
        identifier=int(said["identifier"], 16) if "identifier" in said else identifier,
        size=int(said.get("bytes", size)),
        unit=unit,
        encoding=Encoding(said.get("encoding", Encoding.BCD)),
    )


def read_meter_wallet(
    *, address: str, items: tuple[PrepaidItem, ...], retry: Retry = STANDARD_RETRY
) -> Exchange[MeterWallet]:
    """Ask for every account the model has, one after another; what the meter refuses to hold is None."""
    parts = [
        read_item(address=address, identifier=item.identifier, parse=_reader(item), retry=retry)
        for item in items
    ]
    names = [item.name for item in items]
    return Several(
        parts=parts,
        join=lambda replies: MeterWallet(**dict(zip(names, replies, strict=True))),
        may_lack=_does_not_hold_it,
    )


def _reader(item: PrepaidItem) -> Callable[[bytes], int]:
    return item.decode


def _does_not_hold_it(error: DriverError) -> bool:
    return isinstance(error, MeterRefused) and error.reasons == ("no_data",)
