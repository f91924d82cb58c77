"""Settings of one gateway, as an `edge.toml` has them (`settings_file.py` reads it) or built in code.

[gateway]   book, site, id, zone, spool, interval_s, voltage_every, measure_every, link_timeout_s
[broker]    host, port, password_file
[keys]      own (private key of the gateway, PEM), own_kid (hex; default: the gateway's id)
            [[keys.issuer]] kid, public (PEM)
[telemetry] second by second, where the table is present: block_s, live_block_s, max_bytes
[[bus]]     name, and one line: host, port (a converter we call) | device, baud, parity (a serial port)
            | listen_port, registration, dtu, heartbeats (a DTU that calls us: docs/protocol/lines.md);
            interval_s, reply_within_ms, attempts, pace_ms
            [[bus.meter]] number, address, profile, password, operator
            [bus.meter.alarms]: alarm rules by name, a table of settings or false to leave one out
[[listen]]  meters that speak by themselves, through one MQTT broker (docs/guides/edge.md): name, protocol
            (chirpstack, mqtt-meter), host, port, username, password_file, application (of ChirpStack),
            silent_after_s; [[listen.meter]] as [[bus.meter]]
[local]     what is offered at the gateway itself: see edge/local/settings.py
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fairwatt.core.alarms.model import AlarmError
from fairwatt.core.alarms.policy import default_policy, with_settings
from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.dtu import DtuDialect, Pattern, dtu_pattern
from fairwatt.drivers.profile import load_profile
from fairwatt.drivers.registry import open_listener
from fairwatt.edge.addresses import place_on_bus
from fairwatt.edge.local.settings import LocalConfig
from fairwatt.wire.topics import check_id

DEFAULT_PROFILE = "dlt645_single_phase"
PARITIES = ("none", "even", "odd")
LISTENS_TO = ("chirpstack", "mqtt-meter")
_APPLICATION = re.compile(r"[0-9A-Za-z-]{1,64}")


class ConfigError(ValueError):
    """A setting is missing or cannot be used; nothing was started. The text names the setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterConfig:
    """One meter: its number in the books and its address, profile and passwords on the bus.

    ``alarms``: what core.alarms.policy.with_settings takes, where this meter differs from the default policy.
    """

    number: int
    address: str
    profile: str = DEFAULT_PROFILE
    password: str = "02000000"  # noqa: S105  (the meter maker's public default, level 2)
    operator: str = "00000000"
    alarms: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.number < 1 << 64:
            raise ConfigError(f"meter number {self.number} is not in 1 .. 2^64-1")
        try:
            with_settings(policy=default_policy(zone="UTC", rated_w=1), settings=self.alarms)
        except AlarmError as error:
            raise ConfigError(f"bus.meter.alarms of meter {self.number}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class BusConfig:
    """The meters on one wire: behind a TCP converter (``host``), on a serial port (``device``), or behind a DTU
    that calls this gateway (``listen_port``; several share one, told apart by what a DTU says first:
    ``registration``, a packet as drivers/dtu.py writes it or plain text, and ``dtu``, the name it has to give).

    ``reply_within_ms`` bounds the wait for one answer and ``attempts`` how often a meter is asked; a line
    behind a slow modem needs more, a simulated one less. ``pace_ms`` is the silence kept before each question.
    ``interval_s`` is how often its meters are read; None: as the gateway says.
    """

    name: str
    meters: tuple[MeterConfig, ...]
    host: str = ""
    port: int = 0
    device: str = ""
    baud: int = 2400
    parity: str = "even"
    listen_host: str = "0.0.0.0"  # noqa: S104  (DTUs call from outside; a firewall says which)
    listen_port: int = 0
    registration: str = ""
    registration_reply: str = ""
    dtu: str = ""
    heartbeats: tuple[str, ...] = ()
    heartbeat_reply: str = ""
    reply_within_ms: int = 1500
    attempts: int = 3
    pace_ms: int = 0
    connect_timeout_ms: int = 5000
    interval_s: int | None = None

    def __post_init__(self) -> None:
        if sum((bool(self.host), bool(self.device), bool(self.listen_port))) != 1:
            raise ConfigError(f"bus {self.name} needs one line: host and port, or device, or listen_port")
        if self.parity not in PARITIES:
            raise ConfigError(f"bus {self.name}: parity {self.parity!r} is none of {', '.join(PARITIES)}")
        if self.attempts < 1 or self.reply_within_ms < 1 or self.pace_ms < 0:
            raise ConfigError(
                f"bus {self.name}: attempts and reply_within_ms are at least 1, pace_ms at least 0"
            )
        if self.interval_s is not None and self.interval_s < 1:
            raise ConfigError(f"bus {self.name}: interval_s must be at least 1")
        if self.listen_port:
            self.dialect()
        self._each_meter_is_another()

    def _each_meter_is_another(self) -> None:
        found: dict[tuple[str, str], int] = {}
        for meter in self.meters:
            try:
                place = place_on_bus(profile=meter.profile, address=meter.address)
            except DriverError as error:
                raise ConfigError(f"bus {self.name}: meter {meter.number}: {error}") from error
            if place in found:
                raise ConfigError(
                    f"bus {self.name}: meters {found[place]} and {meter.number} have one address, {meter.address}: "
                    "both homes would pay for the same use"
                )
            found[place] = meter.number

    def dialect(self) -> DtuDialect:
        """What the DTU of this bus says by itself. Raises ConfigError."""
        try:
            return DtuDialect(
                registration=_packet(self.registration),
                heartbeats=tuple(filter(None, map(_packet, self.heartbeats))),
                registration_reply=_answer(self.registration_reply),
                heartbeat_reply=_answer(self.heartbeat_reply),
            )
        except ValueError as error:
            raise ConfigError(f"bus {self.name}: {error}") from error


def _packet(text: str) -> Pattern | None:
    if not text:
        return None
    return dtu_pattern(text if text.startswith(("ascii:", "hex:")) else f"ascii:{text}")


def _answer(text: str) -> bytes:
    packet = _packet(text)
    parts = () if packet is None else packet.parts
    if not all(isinstance(part, bytes) for part in parts):
        raise ValueError(f"an answer has no gaps; got {text!r}")
    return b"".join(part for part in parts if isinstance(part, bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenConfig:
    """Meters that speak when they want to, and the broker where they are heard.

    ``application`` is ChirpStack's id of the application that the devices belong to. ``silent_after_s``: not
    heard for longer, a meter is silent; None: as its profile says.
    """

    name: str
    protocol: str
    meters: tuple[MeterConfig, ...]
    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    application: str = ""
    silent_after_s: int | None = None
    keepalive_s: int = 30
    reconnect_min_s: float = 0.2
    reconnect_max_s: float = 30.0
    interval_s: int | None = None

    def __post_init__(self) -> None:
        if self.protocol not in LISTENS_TO:
            raise ConfigError(
                f"listen {self.name}: protocol {self.protocol!r} is none of {', '.join(LISTENS_TO)}"
            )
        if self.protocol == "chirpstack" and not _APPLICATION.fullmatch(self.application):
            raise ConfigError(
                f"listen {self.name}: application is ChirpStack's id of it: 1 to 64 of 0-9 a-z -"
            )
        if self.silent_after_s is not None and self.silent_after_s < 1:
            raise ConfigError(f"listen {self.name}: silent_after_s must be at least 1")
        for meter in self.meters:
            try:
                profile = load_profile(key=meter.profile)
                if profile.protocol == self.protocol:
                    open_listener(profile=profile, address=meter.address)
            except DriverError as error:
                raise ConfigError(f"listen {self.name}: meter {meter.number}: {error}") from error
            if profile.protocol != self.protocol:
                raise ConfigError(
                    f"listen {self.name}: meter {meter.number} has profile {meter.profile!r}, which speaks "
                    f"{profile.protocol}"
                )
        addresses = {meter.address.lower() for meter in self.meters}
        if len(addresses) != len(self.meters):
            raise ConfigError(f"listen {self.name}: an address is given twice; each meter has its own")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConfig:
    """The MQTT door. The user name is the gateway's id.

    ``resend_s``: with no acknowledgement for so long (wall time), everything unacknowledged is sent again.
    ``answer_within_s``: how long the broker may take to answer a connect, a subscription or a publish.
    ``window_frames``: how many frames may be under way unacknowledged. ``heartbeat_s``: a frame at least so
    often, empty if there is nothing to say. ``return_spread_s``: what was kept while away is sent after a wait
    of up to so long, each gateway its own, so that a thousand do not speak in the same second.
    """

    host: str
    port: int
    password: str = field(repr=False)
    keepalive_s: int = 30
    resend_s: float = 10.0
    answer_within_s: float = 10.0
    window_frames: int = 8
    frame_bytes: int = 64 * 1024
    reconnect_min_s: float = 0.2
    reconnect_max_s: float = 30.0
    heartbeat_s: float = 600.0
    return_spread_s: float = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryConfig:
    """Power, voltage and current of every meter, every second that its bus has the time.

    A block of ``block_s`` seconds is sent at once; ``live_block_s`` while somebody watches. ``max_bytes``: what
    may wait while the line is down; less where the spool needs the room.
    """

    block_s: int = 60
    live_block_s: int = 2
    max_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if not 1 <= self.live_block_s <= self.block_s <= 600:
            raise ConfigError("telemetry wants 1 <= live_block_s <= block_s <= 600 seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeConfig:
    """Everything one agent needs to run. Durations in seconds; ``link_timeout_s`` is domain time.

    Every ``measure_every`` polls a meter is asked for all that its alarms can judge, 0 for never; a slow line
    takes its meters in turn. A register is read at each ``snapshot_s`` boundary of the clock, whatever the
    interval; a reading taken up to
    ``boundary_tolerance_s`` after a boundary carries the boundary's instant, any other its own.
    """

    book: str
    site: str
    gateway: str
    zone: str
    spool: Path
    broker: BrokerConfig
    buses: tuple[BusConfig, ...]
    key: Ed25519PrivateKey = field(repr=False)
    kid: bytes
    issuers: Mapping[bytes, Ed25519PublicKey]
    interval_s: int = 60
    voltage_every: int = 15
    measure_every: int = 1
    link_timeout_s: int = 300
    spool_max_bytes: int = 256 * 1024 * 1024
    spool_history_bytes: int = 16 * 1024 * 1024
    spool_mark: Path | None = None
    """where it is noted how far the spool had got; beside it unless another disk is named"""
    relay_order_valid_s: int = 300
    snapshot_s: int = 900
    boundary_tolerance_s: int = 5
    local: LocalConfig | None = None
    telemetry: TelemetryConfig | None = None
    listens: tuple[ListenConfig, ...] = ()

    def __post_init__(self) -> None:
        for part in (self.book, self.site, self.gateway):
            check_id(part)
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError) as error:
            raise ConfigError(
                f"gateway.zone: there is no time zone {self.zone!r}; write it as Asia/Shanghai"
            ) from error
        if self.interval_s < 1 or self.voltage_every < 1 or self.measure_every < 0:
            raise ConfigError(
                "gateway.interval_s and gateway.voltage_every must be at least 1, gateway.measure_every at least 0"
            )
        if self.snapshot_s < 1 or not 0 <= self.boundary_tolerance_s < self.snapshot_s:
            raise ConfigError("gateway.snapshot_s must be at least 1 and above gateway.boundary_tolerance_s")
        meters = [meter for line in self.lines for meter in line.meters]
        if not meters:
            raise ConfigError("no meter is configured; add a [[bus]] with a [[bus.meter]], or a [[listen]]")
        if len({meter.number for meter in meters}) != len(meters):
            raise ConfigError("a meter number is given twice; each meter's money must have one source")
        if len({listen.name for listen in self.listens}) != len(self.listens):
            raise ConfigError("two [[listen]] have one name; a broker knows each by its own")
        if not self.issuers:
            raise ConfigError("keys.issuer is empty: no command could ever be obeyed")

    @property
    def lines(self) -> tuple[BusConfig | ListenConfig, ...]:
        """Whatever meters are behind: those that are asked and those that speak by themselves."""
        return (*self.buses, *self.listens)
