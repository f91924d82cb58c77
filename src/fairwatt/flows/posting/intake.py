"""Frames become readings, receipts and events, each exactly once and in spool order.

A spool is a numbered list. What lies at or before the stored number is a repetition; what lies beyond a
hole is left alone (the gateway sends again from the hole); what cannot be read is quarantined, and
quarantined counts as stored. Nothing a gateway sends may stop a book, so whatever error its bytes cause, they
end in quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.store.posting import EventRow, QuarantineRow
from fairwatt.wire.cbor import I63
from fairwatt.wire.errors import FrameError
from fairwatt.wire.frames import Event, Item, Kind, Sent, UpFrame, decode_event, decode_up, stored_up_to
from fairwatt.wire.records import RECORD_BYTES

READING: Final = np.dtype(
    [
        ("meter", "<u8"),
        ("at_us", "<i8"),
        ("total_wh", "<i8"),
        ("power_w", "<i4"),
        ("voltage_dv", "<i4"),
        ("relay", "u1"),
        ("quality", "u1"),
        ("flags", "<u2"),
        ("reserved", "<u4"),
    ]
)
assert READING.itemsize == RECORD_BYTES

CLOCK_AHEAD_US_MAX: Final = 120 * 1_000_000
CHAFF_AGAIN_US: Final = 3_600_000_000
"""How long bytes that say nothing new are not stored again: a retry every second would fill the disk."""

Chaff = tuple[int, bytes]
"""What makes two pieces of chaff the same: the gateway, and a digest."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What intake must know of a book; nothing of it is moved here."""

    spools: Mapping[int, tuple[int, int]]
    """(epoch, stored seq) of each gateway before this batch"""
    gateway_ids: Mapping[str, int]
    chaff: Mapping[Chaff, int] = field(default_factory=dict)
    """when bytes that cannot be read were last stored"""
    condemned: frozenset[bytes] = frozenset()
    """digests of frames that stopped a batch: they go to quarantine whole"""


@dataclass(kw_only=True)
class Intake:
    """What a batch of frames brought. `gateway` and `spool_seq` run beside `readings`."""

    readings: npt.NDArray[Any]
    gateway: npt.NDArray[np.int64]
    spool_seq: npt.NDArray[np.int64]
    receipts: list[tuple[int, int, bytes]] = field(default_factory=list)
    events: list[tuple[int, int, Event]] = field(default_factory=list)
    heads: dict[int, tuple[int, int]] = field(default_factory=dict)
    """gateway -> (epoch, stored seq) once this batch is committed: what may be acknowledged"""
    stale_acks: list[tuple[int, int, int]] = field(default_factory=list)
    """(gateway, epoch, seq) that tell a gateway with an old spool to begin a new one"""
    answered: dict[int, Sent] = field(default_factory=dict)
    """gateway -> the newest of its frames in this batch"""
    clocks: dict[int, int] = field(default_factory=dict)
    """gateway -> how far its clock is ahead of ours, by the frame that says most"""
    new_spools: set[int] = field(default_factory=set)
    """gateways that number their records anew: what was compared with the old numbers is void"""
    chaff: dict[Chaff, int] = field(default_factory=dict)
    """unreadable bytes that this batch stores, and when"""
    hellos: set[int] = field(default_factory=set)
    notices: list[EventRow] = field(default_factory=list)
    quarantine: list[QuarantineRow] = field(default_factory=list)
    repeated_items: int = 0
    overtaken_frames: int = 0
    holes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """gateway -> (epoch, stored seq) behind which records are missing"""


@dataclass
class _Blobs:
    bodies: list[bytes] = field(default_factory=list)
    gateways: list[int] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)


def take_in(*, messages: Iterable[tuple[str, bytes]], known: Known, now_us: int) -> Intake:
    """Read (gateway slug, frame bytes) pairs in order of arrival; nothing is lost and nothing raises."""
    empty = np.empty(0, dtype=np.int64)
    intake = Intake(readings=np.empty(0, dtype=READING), gateway=empty, spool_seq=empty)
    blobs = _Blobs()
    for slug, data in messages:
        gateway = known.gateway_ids.get(slug)
        if gateway is None:
            row = QuarantineRow(
                code="unknown_gateway", detail=f"gateway {slug} is not in this book", raw=data
            )
            _keep(intake, known, row, now_us)
            continue
        try:
            frame = decode_up(data)
        except FrameError as error:
            row = QuarantineRow(code=error.code, detail=str(error), raw=data, gateway=gateway)
            _keep(intake, known, row, now_us)
            continue
        except Exception as error:  # a way to break the decoder that nobody has thought of
            row = QuarantineRow(code="unreadable", detail=_named(error), raw=data, gateway=gateway)
            _keep(intake, known, row, now_us)
            continue
        condemned = bool(known.condemned) and sha256(data).digest() in known.condemned
        _take_frame(_Visit(intake, blobs, known, gateway, frame, data, condemned, now_us))
    _join(intake, blobs)
    return intake


def _named(error: Exception) -> str:
    """The error by its kind only: its text may be the hostile part."""
    return f"reading it failed with {type(error).__name__}"


def _keep(
    intake: Intake, known: Known, row: QuarantineRow, now_us: int, *, digest: bytes | None = None
) -> None:
    """Keep what cannot be taken; the same thing from the same gateway once an hour."""
    key = (row.gateway or 0, digest or sha256(row.raw).digest())
    last = intake.chaff.get(key, known.chaff.get(key))
    if last is not None and 0 <= now_us - last < CHAFF_AGAIN_US:
        intake.repeated_items += 1
        return
    intake.chaff[key] = now_us
    intake.quarantine.append(row)


@dataclass(frozen=True)
class _Visit:
    """One frame on its way in."""

    intake: Intake
    blobs: _Blobs
    known: Known
    gateway: int
    frame: UpFrame
    data: bytes
    condemned: bool
    now_us: int

    def quarantine(self, code: str, detail: str, raw: bytes) -> None:
        self.intake.quarantine.append(QuarantineRow(code=code, detail=detail, raw=raw, gateway=self.gateway))


def _take_frame(visit: _Visit) -> None:
    intake, gateway, frame, now_us = visit.intake, visit.gateway, visit.frame, visit.now_us
    epoch, stored = intake.heads.get(gateway, visit.known.spools[gateway])
    if frame.epoch < epoch:
        _refuse_old_spool(visit, epoch, stored)
        return
    if frame.epoch > epoch:
        stored = 0
        if epoch:
            intake.new_spools.add(gateway)
    if frame.hello:
        intake.hellos.add(gateway)
    intake.answered[gateway] = Sent(frame.boot_id, frame.uptime_ms)
    reached = stored_up_to(stored_seq=stored, frame=frame)
    ahead_us = frame.clock_us - now_us
    intake.clocks[gateway] = max(ahead_us, intake.clocks.get(gateway, ahead_us))
    foreign_clock = ahead_us > CLOCK_AHEAD_US_MAX
    if frame.oldest_seq > stored + 1 and stored > 0:
        intake.notices.append(
            EventRow(
                kind="gateway.records_lost",
                at_us=now_us,
                gateway=gateway,
                reason="spool_gap",
                evidence={"after_seq": stored, "before_seq": frame.oldest_seq},
            )
        )
    intake.heads[gateway] = (frame.epoch, reached)
    if frame.items and frame.items[-1].seq > reached:
        intake.overtaken_frames += 1
        intake.holes[gateway] = (frame.epoch, reached)
        return
    if intake.holes.get(gateway, (0, reached))[1] < reached:
        del intake.holes[gateway]  # what had been overtaken came behind it
    for item in frame.items:
        if item.seq <= stored:
            intake.repeated_items += 1
        elif visit.condemned:
            visit.quarantine(
                "poison", "posting the frame that held it failed; see the head-end's log", item.body
            )
        elif foreign_clock:
            detail = f"the gateway's clock is {ahead_us // 1_000_000} s ahead"
            visit.quarantine("foreign_clock", detail, item.body)
        else:
            _take_item(visit, item)


def _refuse_old_spool(visit: _Visit, epoch: int, stored: int) -> None:
    """A spool older than the one known: nothing of it is stored, and the gateway is told to number anew.

    Its records stay with the gateway until they come under a later epoch, so none is lost.
    """
    frame = visit.frame
    detail = f"spool {frame.epoch} is older than {epoch}: the gateway's memory or its clock went back in time"
    row = QuarantineRow(code="old_spool", detail=detail, raw=visit.data, gateway=visit.gateway)
    # Each try carries another clock: what makes it the same is the spool.
    _keep(visit.intake, visit.known, row, visit.now_us, digest=b"old_spool %d" % frame.epoch)
    for ack in ((visit.gateway, epoch, stored), (visit.gateway, frame.epoch, I63 - 1)):
        if ack not in visit.intake.stale_acks:
            visit.intake.stale_acks.append(ack)


def _take_item(visit: _Visit, item: Item) -> None:
    intake, blobs, body = visit.intake, visit.blobs, item.body
    if item.kind == Kind.READINGS:
        if len(body) % RECORD_BYTES:
            detail = f"readings have {len(body)} bytes, not a multiple of {RECORD_BYTES}"
            visit.quarantine("bad_shape", detail, body)
            return
        blobs.bodies.append(body)
        blobs.gateways.append(visit.gateway)
        blobs.seqs.append(item.seq)
        blobs.counts.append(len(body) // RECORD_BYTES)
    elif item.kind == Kind.RECEIPT:
        intake.receipts.append((visit.gateway, item.seq, body))
    else:
        try:
            intake.events.append((visit.gateway, item.seq, decode_event(body)))
        except FrameError as error:
            visit.quarantine(error.code, str(error), body)
        except Exception as error:
            visit.quarantine("unreadable", _named(error), body)


def _join(intake: Intake, blobs: _Blobs) -> None:
    if blobs.bodies:
        counts = np.array(blobs.counts, dtype=np.int64)
        intake.readings = np.frombuffer(b"".join(blobs.bodies), dtype=READING)
        intake.gateway = np.repeat(np.array(blobs.gateways, dtype=np.int64), counts)
        intake.spool_seq = np.repeat(np.array(blobs.seqs, dtype=np.int64), counts)
