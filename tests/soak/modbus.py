"""Modbus RTU and TCP: a CRC of sixteen bits; over TCP none, so only sealed damage is counted there."""

from __future__ import annotations

import random
from typing import Final

from fairwatt.drivers.modbus.frame import crc16
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.simulate.meters.modbus import SimModbusBus, SimModbusMeter

from . import Soaked
from ._lines import Case, bent, soak_line

_RTU, _TCP = load_profile(key="modbus_single_phase"), load_profile(key="modbus_three_phase")
CHECK: Final = 1 << 16
"""One bent frame in so many passes the check by chance: it has sixteen bits."""


def soak(*, count: int, seed: int) -> Soaked:
    """Damage `count` answers; see the package."""
    return soak_line(protocol="modbus", count=count, seed=seed, make=_case, reseal=_reseal, one_in=CHECK)


_BUSES: Final = {
    profile.key: SimModbusBus(meters=[SimModbusMeter(profile=profile, unit="12")], rtu=profile is _RTU)
    for profile in (_RTU, _TCP)
}


def _case(dice: random.Random, number: int) -> Case:
    # TCP has no checksum of its own: what is bent there is always sealed, as the network seals it.
    profile = _TCP if number % 8 == 7 else _RTU
    bus, total = _BUSES[profile.key], dice.randrange(1_000_000) * 10
    bus.meters[12].register_wh = total
    exchange = open_meter(profile=profile, address="12", zone="UTC").read_register()
    return Case(exchange=exchange, answers=[bus.answer(exchange.request())[0]], total=total)


def _reseal(right: bytes, dice: random.Random) -> bytes:
    """Other registers in a right frame, or a bent frame that is sealed as it is."""
    if right[:2] != b"\x0c\x04":  # over TCP
        return right[:-4] + dice.randbytes(4) if dice.randrange(2) else bent(right, dice)
    wrong = right[:-6] + dice.randbytes(4) if dice.randrange(2) else bent(right[:-2], dice)
    return wrong + crc16(wrong)
