"""Frames of telemetry become rows, and old rows become steps. No money, no supply, no lock of the ledger.

Twice is once: a block is known by its meter and first second. What cannot be kept is counted where the desk sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction

from fairwatt.flows import seconds as store
from fairwatt.flows.seconds import DAY_S, Place, SecondRow
from fairwatt.wire.errors import FrameError
from fairwatt.wire.telemetry import Block, TeleFrame, decode_tele
from fairwatt.wire.topics import Address

AHEAD_S: Final = 120
KEEP_DAYS: Final = 31
"""So long every second is kept; after that its minutes and quarters."""
GRACE_S: Final = 2 * 3600
"""A day is made into steps when it has been over for so long; a later block makes it anew."""
BACK_DAYS: Final = 400
KNOWN_FOR_S: Final = 60


@dataclass(kw_only=True)
class Kept:
    """What became of some frames: how far each gateway may forget, and the counts."""

    upto: dict[Address, tuple[int, int]] = field(default_factory=dict)
    """place -> (epoch, seq) of the newest frame that could be read"""
    blocks: int = 0
    points: int = 0
    """seconds of a meter, each with three figures"""
    refused: int = 0


@dataclass(kw_only=True)
class Places:
    """Whose wallet each meter feeds, looked up at most once a minute for each gateway."""

    known: dict[Address, tuple[int, dict[int, Place]]] = field(default_factory=dict)

    def of(self, address: Address, *, now_us: int) -> dict[int, Place]:
        """The meters of a gateway by number; none for one that is not in that book."""
        found = self.known.get(address)
        if found is None or not 0 <= now_us - found[0] < KNOWN_FOR_S * 1_000_000:
            book = int(address.book) if address.book.isdecimal() and len(address.book) < 10 else 0
            found = (now_us, store.places_of(gateway=address.gateway, book=book))
            self.known[address] = found
        return found[1]


@transaction.atomic(durable=True)
def keep_frames(*, messages: Sequence[tuple[Address, bytes]], places: Places, now_us: int) -> Kept:
    """Keep the blocks of some frames in one transaction; answer the gateways only after it."""
    kept, rows = Kept(), []
    for address, data in messages:
        try:
            frame = decode_tele(data)
        except FrameError as error:
            _refuse(kept, address, error.code, str(error), 1, now_us)
            continue
        rows += _rows_of(kept, address, frame, places, now_us)
        if frame.blocks:
            kept.upto[address] = (frame.epoch, frame.blocks[-1].seq)
    if rows:
        store.make_partitions(
            from_s=min(row.start_s for row in rows), until_s=max(row.start_s for row in rows) + 1
        )
        kept.blocks = store.insert_seconds(rows)
        kept.points = sum(row.seconds for row in rows)
    return kept


def _rows_of(kept: Kept, address: Address, frame: TeleFrame, places: Places, now_us: int) -> list[SecondRow]:
    meters = places.of(address, now_us=now_us)
    rows: list[SecondRow] = []
    for block in frame.blocks:
        code = _when_refused(block, now_us)
        if code:
            _refuse(kept, address, code, f"a block of second {block.start_s}", len(block.bodies), now_us)
            continue
        for number, body in block.bodies:
            place = meters.get(number)
            if place is None or block.start_s + block.seconds <= place.opened_s:
                detail = f"meter {number} feeds no wallet at this gateway, or fed another one then"
                _refuse(kept, address, "tele_unknown_meter", detail, 1, now_us)
                continue
            try:
                store.unpacked(body, seconds=block.seconds)
            except FrameError as error:
                _refuse(kept, address, error.code, str(error), 1, now_us)
                continue
            rows.append(
                SecondRow(block.start_s, place.meter, place.wallet, int(address.book), block.seconds, body)
            )
    return rows


def _when_refused(block: Block, now_us: int) -> str:
    now_s = now_us // 1_000_000
    if block.start_s + block.seconds > now_s + AHEAD_S:
        return "tele_future"
    return "tele_too_old" if block.start_s < now_s - KEEP_DAYS * DAY_S else ""


def _refuse(kept: Kept, address: Address, code: str, detail: str, blocks: int, now_us: int) -> None:
    kept.refused += blocks
    book = int(address.book) if address.book.isdecimal() and len(address.book) < 10 else 0
    day_s = now_us // 1_000_000 // DAY_S * DAY_S
    store.count_refused(
        book=book, gateway=address.gateway, code=code, day_s=day_s, blocks=blocks, detail=detail
    )


def downsample(*, now_us: int, keep_days: int = KEEP_DAYS) -> tuple[list[int], list[int]]:
    """Make steps of days that are over, and let seconds older than ``keep_days`` go. Returns the days of each.

    Each day is a transaction of its own; stopped anywhere, it goes on there.
    """
    now_s = now_us // 1_000_000
    made: list[int] = []
    dropped: list[int] = []
    for day_s in store.days():
        if day_s + DAY_S + GRACE_S > now_s:
            continue
        if day_s not in store.rolled_days():
            with transaction.atomic():
                store.roll_day(day_s=day_s, now_us=now_us)
            made.append(day_s)
        if day_s + DAY_S < now_s - keep_days * DAY_S:
            with transaction.atomic():
                if store.drop_day(day_s=day_s):
                    dropped.append(day_s)
    return made, dropped
