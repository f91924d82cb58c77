"""CJ/T 188 frames: a sum of eight bits; and what is sealed but nonsense."""

from __future__ import annotations

import random
from typing import Final

from fairwatt.drivers.cjt188.frame import build_frame, frames
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.simulate.meters.cjt188 import SimCjt188Bus, SimCjt188Meter

from . import Soaked
from ._lines import Case, bent, soak_line

_PROFILES = (load_profile(key="cjt188_water"), load_profile(key="cjt188_heat"))
_NUMBER: Final = "78330011223344"
_NOW_US: Final = 1_785_542_400_000_000
CHECK: Final = 256


def soak(*, count: int, seed: int) -> Soaked:
    """Damage `count` answers; see the package."""
    return soak_line(protocol="cjt188", count=count, seed=seed, make=_case, reseal=_reseal, one_in=CHECK)


def _case(dice: random.Random, number: int) -> Case:
    profile = _PROFILES[number % 2]
    total = dice.randrange(10_000_000) * profile.resolution_wh
    bus = SimCjt188Bus(
        meters=[SimCjt188Meter(profile=profile, number=_NUMBER, register=total)], now=lambda: _NOW_US
    )
    asked = open_meter(profile=profile, address=_NUMBER, zone="Asia/Shanghai").read_register().request()
    exchange = open_meter(profile=profile, address=_NUMBER, zone="Asia/Shanghai").read_register()
    return Case(exchange=exchange, answers=[bus.answer(asked)[0]], total=total)


def _reseal(right: bytes, dice: random.Random) -> bytes:
    frame = frames(right)[0]
    data = frame.data[:3] + bent(frame.data[3:], dice)[:90]
    return build_frame(kind=frame.kind, address=frame.address, control=frame.control, data=data)
