"""Telemetry at ten times the pace of 64 meters, in a process of its own: what the poster is measured beside."""

from __future__ import annotations

import random
import sys
import time

from fairwatt.wire import topics
from fairwatt.wire.telemetry import Block, Series, TeleFrame, encode_tele, pack

BLOCK_S = 60
FASTER = 10
"""So many times the pace of the meters is kept."""


def a_minute(dice: random.Random, start_s: int) -> Series:
    """A home: a base load that wavers, a fridge, now and then a kettle."""
    watts = []
    for second in range(start_s, start_s + BLOCK_S):
        load = 120 + dice.randint(-4, 4) + (90 if second // 600 % 3 == 0 else 0)
        watts.append(load + (2_000 if second % 3_600 < 150 else 0))
    return Series(watts, [2_200 + dice.randint(-6, 6) for _ in watts], [w * 10_000 // 2_200 for w in watts])


def keep_on(*, book: str, site: str, gateway: str, meters: list[int], first_s: int) -> None:
    """Keep a minute of all meters every six seconds, for ever."""
    from fairwatt.server.wiring import use_django

    use_django(role="telemetry")
    from fairwatt.flows.keep_telemetry import Places, keep_frames

    places, address, start_s = Places(), topics.Address(book, site, gateway), first_s
    print("ready", flush=True)
    while True:
        began = time.monotonic()
        dice = random.Random(start_s)
        bodies = tuple((meter, pack(a_minute(dice, start_s))) for meter in meters)
        now_us = (start_s + BLOCK_S) * 1_000_000
        frame = encode_tele(TeleFrame(1, now_us, (Block(1, start_s, BLOCK_S, bodies),)))
        kept = keep_frames(messages=[(address, frame)], places=places, now_us=now_us)
        assert kept.blocks == len(meters)
        start_s += BLOCK_S
        time.sleep(max(0.0, BLOCK_S / FASTER - (time.monotonic() - began)))


if __name__ == "__main__":
    numbers = [int(number) for number in sys.argv[4].split(",")]
    keep_on(book=sys.argv[1], site=sys.argv[2], gateway=sys.argv[3], meters=numbers, first_s=int(sys.argv[5]))
