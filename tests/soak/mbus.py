"""M-Bus telegrams: a sum of eight bits, two equal lengths and two start bytes; and what is sealed but nonsense."""

from __future__ import annotations

import random
from typing import Final

from fairwatt.drivers.mbus.frame import long_frame
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_meter
from fairwatt.simulate.meters.mbus import SimMbusBus, SimMbusMeter

from . import Soaked
from ._lines import Case, bent, soak_line

_PROFILES = tuple(load_profile(key=f"mbus_{name}") for name in ("water", "heat", "gas"))
CHECK: Final = 256
_HEADER: Final = 7


def soak(*, count: int, seed: int) -> Soaked:
    """Damage `count` answers; see the package."""
    return soak_line(protocol="mbus", count=count, seed=seed, make=_case, reseal=_reseal, one_in=CHECK)


def _case(dice: random.Random, number: int) -> Case:
    profile = _PROFILES[number % len(_PROFILES)]
    total = dice.randrange(10_000_000) * profile.resolution_wh
    sim = SimMbusMeter(profile=profile, primary=7, register=total, telegrams=1 + number % 3)
    bus = SimMbusBus(meters=[sim])
    asking = open_meter(profile=profile, address="7", zone="UTC").read_register()
    answers: list[bytes] = []
    reply: object = None
    while not answers or (reply is not None and not hasattr(reply, "total_wh")):
        answers.append(bus.answer(asking.request())[0])
        reply = asking.feed(answers[-1])
    exchange = open_meter(profile=profile, address="7", zone="UTC").read_register()
    return Case(exchange=exchange, answers=answers, total=total)


def _reseal(right: bytes, dice: random.Random) -> bytes:
    """The same meter says other bytes in a frame that is right."""
    data = bent(right[_HEADER:-2], dice)[:252]
    return long_frame(
        control=0x08, address=7, ci=dice.choice((0x72, 0x72, 0x72, 0x78, 0x7A, 0x73)), data=data
    )
