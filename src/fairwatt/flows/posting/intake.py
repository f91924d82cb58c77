"""Frames become readings, receipts and events, each exactly once and in spool order.

A spool is a numbered list. What lies at or before the stored number is a repetition; what lies beyond a
hole is left alone (the gateway sends again from the hole); what cannot be read is quarantined, and
quarantined counts as stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.store.posting import EventRow, QuarantineRow
from fairwatt.wire.errors import FrameError
from fairwatt.wire.frames import Event, Kind, UpFrame, decode_event, decode_up, stored_up_to
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
    """(gateway, epoch, seq) of frames from a forgotten spool: stored in quarantine, acknowledged as they are"""
    hellos: set[int] = field(default_factory=set)
    notices: list[EventRow] = field(default_factory=list)
    quarantine: list[QuarantineRow] = field(default_factory=list)
    repeated_items: int = 0
    overtaken_frames: int = 0


@dataclass
class _Blobs:
    bodies: list[bytes] = field(default_factory=list)
    gateways: list[int] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)


def take_in(
    *,
    messages: Iterable[tuple[str, bytes]],
    spools: Mapping[int, tuple[int, int]],
    gateway_ids: Mapping[str, int],
    now_us: int,
) -> Intake:
    """Read (gateway slug, frame bytes) pairs in order of arrival; nothing is lost and nothing raises.

    `spools`: (epoch, stored seq) of each gateway before this batch.
    """
    empty = np.empty(0, dtype=np.int64)
    intake = Intake(readings=np.empty(0, dtype=READING), gateway=empty, spool_seq=empty)
    blobs = _Blobs()
    for slug, data in messages:
        gateway_id = gateway_ids.get(slug)
        if gateway_id is None:
            intake.quarantine.append(
                QuarantineRow(code="unknown_gateway", detail=f"gateway {slug} is not in this book", raw=data)
            )
            continue
        try:
            frame = decode_up(data)
        except FrameError as error:
            intake.quarantine.append(
                QuarantineRow(code=error.code, detail=str(error), raw=data, gateway=gateway_id)
            )
            continue
        known = intake.heads.get(gateway_id, spools[gateway_id])
        _take_frame(intake, blobs, gateway_id, known, frame, data, now_us)
    _join(intake, blobs)
    return intake


def _take_frame(
    intake: Intake,
    blobs: _Blobs,
    gateway: int,
    known: tuple[int, int],
    frame: UpFrame,
    data: bytes,
    now_us: int,
) -> None:
    epoch, stored = known
    if frame.epoch < epoch:
        last = frame.items[-1].seq if frame.items else frame.oldest_seq - 1
        intake.quarantine.append(
            QuarantineRow(
                code="old_spool",
                detail=f"spool {frame.epoch} is older than {epoch}: the gateway's memory went back in time",
                raw=data,
                gateway=gateway,
            )
        )
        intake.stale_acks.append((gateway, frame.epoch, last))
        return
    if frame.epoch > epoch:
        stored = 0
    if frame.hello:
        intake.hellos.add(gateway)
    reached = stored_up_to(stored_seq=stored, frame=frame)
    foreign_clock = frame.clock_us - now_us > CLOCK_AHEAD_US_MAX
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
        return
    for item in frame.items:
        if item.seq <= stored:
            intake.repeated_items += 1
        elif foreign_clock:
            intake.quarantine.append(
                QuarantineRow(
                    code="foreign_clock",
                    detail=f"the gateway's clock is {(frame.clock_us - now_us) // 1_000_000} s ahead",
                    raw=item.body,
                    gateway=gateway,
                )
            )
        else:
            _take_item(intake, blobs, gateway, item.seq, item.kind, item.body)


def _take_item(intake: Intake, blobs: _Blobs, gateway: int, seq: int, kind: int, body: bytes) -> None:
    if kind == Kind.READINGS:
        if len(body) % RECORD_BYTES:
            intake.quarantine.append(
                QuarantineRow(
                    code="bad_shape",
                    detail=f"readings have {len(body)} bytes, not a multiple of {RECORD_BYTES}",
                    raw=body,
                    gateway=gateway,
                )
            )
            return
        blobs.bodies.append(body)
        blobs.gateways.append(gateway)
        blobs.seqs.append(seq)
        blobs.counts.append(len(body) // RECORD_BYTES)
    elif kind == Kind.RECEIPT:
        intake.receipts.append((gateway, seq, body))
    else:
        try:
            intake.events.append((gateway, seq, decode_event(body)))
        except FrameError as error:
            intake.quarantine.append(
                QuarantineRow(code=error.code, detail=str(error), raw=body, gateway=gateway)
            )


def _join(intake: Intake, blobs: _Blobs) -> None:
    if blobs.bodies:
        counts = np.array(blobs.counts, dtype=np.int64)
        intake.readings = np.frombuffer(b"".join(blobs.bodies), dtype=READING)
        intake.gateway = np.repeat(np.array(blobs.gateways, dtype=np.int64), counts)
        intake.spool_seq = np.repeat(np.array(blobs.seqs, dtype=np.int64), counts)
