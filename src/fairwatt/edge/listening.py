"""Meters that speak by themselves, at work: a message becomes a reading, a proof and a chance to be told something."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import structlog

from fairwatt.drivers.contract import DriverError, Heard
from fairwatt.edge.clock import Clock
from fairwatt.edge.config import EdgeConfig, ListenConfig, MeterConfig
from fairwatt.edge.deeds import Deeds
from fairwatt.edge.ear import Ear
from fairwatt.edge.guard import Guard
from fairwatt.edge.hearing import Doubt, ListenPoint, NotHeard
from fairwatt.edge.link import Link
from fairwatt.edge.meters import Branch, came_back, fell_silent
from fairwatt.edge.safety import Safety
from fairwatt.edge.spool import Spool, SpoolError
from fairwatt.wire.frames import Event

log = structlog.get_logger(__name__)

_STRANGERS: Final = 32
_PLACE: Final = {"chirpstack": 3, "mqtt-meter": 2}
"""Which level of an uplink's topic names the device."""


class ListenBranch(Branch):
    """The meters behind one broker. Nobody is asked; a pass looks who has been silent for too long."""

    points: Sequence[ListenPoint]
    config: ListenConfig

    def __init__(self, *, config: ListenConfig, ear: Ear, points: Sequence[ListenPoint]) -> None:
        super().__init__(config=config, bus=ear, points=points)
        self.asked = ()
        self.ear = ear
        self._by_device = {point.address.lower(): point for point in points}
        self._strangers: set[str] = set()

    def begin(self, *, now_us: int, interval_us: int) -> None:
        """Start a pass: note who fell silent, and let go of orders that are over."""
        super().begin(now_us=now_us, interval_us=interval_us)
        for point in self.points:
            point.look_through(now_us=now_us)
            if point.is_silent(now_us=now_us):
                self.events += fell_silent(point, now_us, self._why_silent(point))

    def _why_silent(self, point: ListenPoint) -> DriverError:
        hours = point.silent_after_us // 3_600_000_000
        text = f"nothing was heard of meter {point.number} for more than {hours} h; its supply is as it was"
        if not self.ear.connected.is_set():
            text += f"; the broker {self.config.host}:{self.config.port} is not connected either"
        return NotHeard(text)

    def speaker(self, topic: str, /) -> tuple[str, ListenPoint | None]:
        """The device that a topic names, and the meter it is here, if it is one."""
        levels = topic.split("/")
        place = _PLACE[self.config.protocol]
        device = levels[place].lower() if len(levels) > place else ""
        return device, self._by_device.get(device)

    def meets(self, device: str, /) -> bool:
        """Say whether a device that is no meter here is heard for the first time; a few are remembered."""
        if device in self._strangers or len(self._strangers) >= _STRANGERS:
            return False
        self._strangers.add(device)
        return True


class Parts(NamedTuple):
    """What of an agent hears, keeps, decides and tells. ``conclude``: what follows from a pass over a bus."""

    clock: Clock
    deeds: Deeds
    guard: Guard
    safety: Safety
    link: Link
    conclude: Callable[[Branch, int], Awaitable[None]]


class Listening:
    """Takes the messages of one branch, one at a time, while nobody else is at its meters."""

    def __init__(self, *, branch: ListenBranch, parts: Parts) -> None:
        self._branch = branch
        self._parts = parts
        self._garbled: set[int] = set()
        for point in branch.points:
            point.now = parts.clock.now_us

    async def take(self, topic: str, message: bytes, /) -> None:
        """Take one message, whatever is in it: nothing that a device says stops the others from being heard."""
        now_us = self._parts.clock.now_us()
        try:
            async with self._branch.turn:
                await self._take(topic, message, now_us)
        except SpoolError as error:
            log.critical("message_not_kept", topic=topic, error=str(error))
        except Exception:
            log.critical("message_failed", topic=topic, exc_info=True)
        self._parts.link.records_wait(at_us=now_us)

    async def _take(self, topic: str, message: bytes, now_us: int) -> None:
        device, point = self._branch.speaker(topic)
        if point is None:
            if self._branch.meets(device):
                self._note(
                    "device_unknown", now_us, 0, {"device": device[:64], "listen": self._branch.config.name}
                )
            return
        try:
            heard = point.driver.hear(message)
        except DriverError as error:
            if point.number not in self._garbled:
                self._garbled.add(point.number)
                detail = {"why": error.code, "text": str(error)[:300]}
                self._note("message_refused", now_us, point.number, detail)
            return
        self._garbled.discard(point.number)
        if not point.is_new(heard):
            log.info("message_heard_before", meter=point.number, key=heard.key)
            return
        heard, doubt = point.dated(heard, now_us=now_us)
        self._doubt_clock(point, doubt, now_us)
        await self._hear(point, heard, now_us)

    async def _hear(self, point: ListenPoint, heard: Heard, now_us: int) -> None:
        """One new message: its reading is kept, everybody decides with it, and the device is told what is wanted."""
        late = point.is_late(heard)
        reading = point.reading_of(heard, late=late)
        point.begin_hearing(heard, late=late, now_us=now_us)
        self._branch.events += came_back(point, now_us)
        try:
            if reading is not None:
                reading = self._parts.deeds.flagged(reading)
                self._branch.readings.append(reading)
                if not late:
                    await self._parts.deeds.own_up(point, reading)
                    self._parts.guard.take_reading(reading)
                    flush = partial(self._parts.deeds.flush, self._branch, at_us=now_us)
                    await self._parts.safety.look(point, reading, flush=flush)
            await self._parts.conclude(self._branch, now_us)
        finally:
            point.end_hearing()

    def _doubt_clock(self, point: ListenPoint, doubt: Doubt | None, now_us: int) -> None:
        if doubt is not None and not point.clock_doubted:
            text = f"{doubt.text}; its messages carry this gateway's time until its clock is right"
            self._note("meter_clock_wrong", now_us, point.number, {"why": doubt.why, "text": text})
        point.clock_doubted = doubt is not None

    def _note(self, code: str, at_us: int, meter: int, detail: dict[str, str]) -> None:
        self._parts.deeds.keep(readings=[], events=[Event(code, at_us, meter, dict(detail))], at_us=at_us)


def listening_branches(config: EdgeConfig, spool: Spool) -> list[ListenBranch]:
    """One for each [[listen]] of a gateway."""
    return [_branch(config, one, spool) for one in config.listens]


def _branch(config: EdgeConfig, listen: ListenConfig, spool: Spool) -> ListenBranch:
    topics = _up_topics(listen)
    identifier = f"fairwatt-{config.book}-{config.site}-{config.gateway}-{listen.name}"
    ear = Ear(config=listen, topics=topics, identifier=identifier)
    points = [
        ListenPoint(
            config=meter,
            ear=ear,
            zone=config.zone,
            down_topic=_down_topic(listen, meter),
            store=spool.put,
        )
        for meter in listen.meters
    ]
    return ListenBranch(config=listen, ear=ear, points=points)


# A protocol's code is loaded where its first meter is: a gateway carries what its meters speak.


def _up_topics(listen: ListenConfig) -> list[str]:
    if listen.protocol == "chirpstack":
        from fairwatt.drivers.lorawan import chirpstack

        return [chirpstack.uplink_topic(application=listen.application)]
    from fairwatt.drivers.mqttmeter import message

    return [message.up_topic(meter=meter.address) for meter in listen.meters]


def _down_topic(listen: ListenConfig, meter: MeterConfig) -> str:
    if listen.protocol == "chirpstack":
        from fairwatt.drivers.lorawan import chirpstack

        return chirpstack.downlink_topic(application=listen.application, dev_eui=meter.address.lower())
    from fairwatt.drivers.mqttmeter import message

    return message.down_topic(meter=meter.address)
