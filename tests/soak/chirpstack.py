"""ChirpStack events: JSON that is bent, and payloads that are bent inside it, behind a CRC of eight bits."""

from __future__ import annotations

import base64
import random
from collections import Counter
from math import isqrt
from typing import Final

from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.lorawan.payload import crc8
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_listener
from fairwatt.simulate.meters.lorawan import SimLorawanMeter

from . import Soaked
from ._lines import bent

_PROFILE = load_profile(key="lorawan_water")
_EUI: Final = "0101010101010101"
_NOW_US: Final = 1_785_542_400_000_000
CHECK: Final = 256


def soak(*, count: int, seed: int) -> Soaked:
    """Damage `count` events; see the package."""
    dice = random.Random(seed)
    refused: Counter[str] = Counter()
    passed, broken = 0, list[str]()
    listener = open_listener(profile=_PROFILE, address=_EUI)
    for number in range(count):
        total = dice.randrange(1 << 32)
        right = SimLorawanMeter(profile=_PROFILE, dev_eui=_EUI, register=total).uplink(now_us=_NOW_US)
        wrong = _spoiled(right, dice, how=number % 3)
        try:
            told = listener.hear(wrong).reading
        except DriverError as error:
            refused[error.code] += 1
        except Exception as error:
            broken.append(f"{wrong!r}: {error!r}")
        else:
            if told is None:
                refused["no_reading"] += 1
            elif told.total_wh == total:
                refused["came_through"] += 1  # what was bent was not the payload
            elif number % 3 == 2:
                refused["sealed_again"] += 1
            else:
                passed += 1
    mean = count // CHECK + 1
    return Soaked(
        protocol="chirpstack",
        mutated=count,
        refused=dict(refused),
        passed=passed,
        allowed=mean + 5 * (isqrt(mean) + 1),
        broken=tuple(broken[:20]),
    )


def _spoiled(right: bytes, dice: random.Random, *, how: int) -> bytes:
    """The text bent anywhere, the payload bent, or the payload bent and sealed again."""
    if how == 0:
        return bent(right, dice)
    head, _, rest = right.rpartition(b'"data": "')
    data = base64.b64decode(rest[:-2])
    data = bent(data, dice) if how == 1 else _sealed(bent(data[:-1], dice))
    return head + b'"data": "' + base64.b64encode(data) + b'"}'


def _sealed(data: bytes) -> bytes:
    return data + bytes([crc8(data)])
