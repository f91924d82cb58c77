"""Should a frame stop a batch after all, the head-end finds it, sets it aside and goes on."""

from __future__ import annotations

import asyncio
from collections import deque
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.flows.posting import preparing as preparing_module
from fairwatt.headend.suspicion import Suspicion
from fairwatt.wire.frames import Ack, Commands, decode_down
from support.desk import Desk
from support.street import HOUR_US, NOON_US, reading

preparing: Any = preparing_module
NOW = NOON_US + 40 * HOUR_US
POISON_WH = 666


@given(count=st.integers(1, 300), culprits=st.sets(st.integers(0, 299), max_size=4))
def test_every_culprit_is_found_and_no_innocent(count: int, culprits: set[int]) -> None:
    frames = [b"%d" % n for n in range(count)]
    bad = {frames[n] for n in culprits if n < count}
    suspicion, posted, tries = Suspicion(), 0, 0
    while posted < count:
        batch = frames[posted : posted + suspicion.most(2000)]
        tries += 1
        if any(frame in bad and sha256(frame).digest() not in suspicion.condemned for frame in batch):
            suspicion.failed(batch)
        else:
            posted += len(batch)
            suspicion.passed(len(batch))
    assert suspicion.condemned == {sha256(frame).digest() for frame in bad}
    assert tries < 60 * (len(bad) + 1)


def test_failing_without_frames_blames_nobody() -> None:
    suspicion = Suspicion()
    assert suspicion.failed([]) is None
    assert not suspicion.careful


class Backbone:
    """The log and the wire, by hand."""

    def __init__(self, frames: list[Any], *, at_a_time: int = 2000) -> None:
        self._frames = deque(frames)
        self.last = frames[-1]
        self._at_a_time = at_a_time
        self.done_with: list[Any] = []
        self.sent: list[Any] = []

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def size(self) -> int:
        return sum(len(frame.data) for frame in self._frames)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def take(self, *, most: int, most_bytes: int) -> list[Any]:
        return [self._frames.popleft() for _ in range(min(most, self._at_a_time, len(self._frames)))]

    def put_back(self, frames: list[Any]) -> None:
        self._frames.extendleft(reversed(frames))

    def forget(self) -> None:
        raise AssertionError("the log would need seconds to give them again")

    async def done(self, frame: Any) -> None:
        self.done_with.append(frame)

    async def publish(self, subject: str, data: bytes) -> None:
        self.sent.append(decode_down(data))


class Clock:
    def now_us(self) -> int:
        return NOW


def serve(desk: Desk, backbone: Backbone, metrics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a head-end work until every frame is acknowledged to the log."""
    from fairwatt.headend import main as main_module

    main: Any = main_module
    poster, last = desk.street.poster(), backbone.last

    async def ensure_log(**_: Any) -> str:
        return "consumer"

    async def work() -> None:
        head = main.HeadEnd(book=desk.street.book, poster=poster, clock=Clock(), metrics=metrics)
        serving = asyncio.create_task(head.serve(backbone))
        async with asyncio.timeout(60):
            while not backbone.done_with or backbone.done_with[-1] is not last:
                await asyncio.sleep(0.02)
                assert not serving.done(), serving.exception()
        head.stop()
        await serving

    monkeypatch.setattr(main, "Intake", lambda **_: backbone)
    monkeypatch.setattr(main, "ensure_log", ensure_log)
    asyncio.run(work())


def test_a_frame_that_stops_batches_costs_nobody_else_anything(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.headend.backbone import Frame
    from fairwatt.headend.metrics import Metrics

    meter = desk.home()
    street = desk.street
    values = [100, 200, 300, POISON_WH, 700, 800, 900]
    frames = [
        Frame(*street.readings(reading(meter, NOON_US + (n + 1) * HOUR_US, wh)), f"reply-{n}")
        for n, wh in enumerate(values)
    ]
    backbone, real = Backbone(frames), preparing.sift

    def fragile(**wishes: Any) -> Any:
        if (wishes["intake"].readings["total_wh"] == POISON_WH).any():
            raise KeyError("nobody foresaw this")
        return real(**wishes)

    monkeypatch.setattr(preparing, "sift", fragile)
    metrics = Metrics()

    serve(desk, backbone, metrics, monkeypatch)
    desk.open(now_us=NOW)
    assert [line.register_wh for line in desk.lines()] == [wh for wh in values if wh != POISON_WH]
    assert desk.quarantine() == ["poison"]
    acks = [frame for frame in backbone.sent if isinstance(frame, Ack)]
    assert acks[-1].seq == len(values), "the gateway need not send it again"
    assert any(isinstance(frame, Commands) for frame in backbone.sent)
    assert metrics.registry.get_sample_value("fairwatt_condemned_frames_total") == 1


def test_orders_are_offered_again_also_under_a_steady_load(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.headend import main as main_module
    from fairwatt.headend.backbone import Frame
    from fairwatt.headend.metrics import Metrics

    main: Any = main_module
    meter = desk.home()
    desk.pay(meter, 5_00, now_us=NOON_US)
    frames = [
        Frame(*desk.street.readings(reading(meter, NOON_US + n * 60_000_000, n)), f"reply-{n}")
        for n in range(1, 61)
    ]
    backbone = Backbone(frames, at_a_time=1)
    monkeypatch.setattr(main, "RESEND_BUSY_S", 0.05)
    monkeypatch.setattr(main, "RESEND_S", 60.0)
    serve(desk, backbone, Metrics(), monkeypatch)
    assert sum(isinstance(frame, Commands) for frame in backbone.sent) >= 3


def test_commands_for_one_gateway_are_split_into_frames_that_it_takes(desk: Desk) -> None:
    from fairwatt.headend.main import HeadEnd
    from fairwatt.headend.metrics import Metrics

    desk.home()
    poster: Any = desk.street.poster()
    backbone: Any = Backbone([None])
    head = HeadEnd(book=desk.street.book, poster=poster, clock=Clock(), metrics=Metrics())
    messages = [bytes([n]) * 50_000 for n in range(7)]
    asyncio.run(head._send(backbone, desk.state, desk.street.gateway.pk, [*messages, bytes(70_000)]))
    assert [message for frame in backbone.sent for message in frame.messages] == messages
    assert len(backbone.sent) > 2
