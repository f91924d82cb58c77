"""One CJ/T 188 meter of one model: its register, its status word, its clock and its valve."""

from __future__ import annotations

from typing import Any, Final

from fairwatt.drivers.asking import STANDARD_RETRY, Ask, Conversation, Retry, Talk, single
from fairwatt.drivers.contract import (
    Accepted,
    Conditions,
    MeterAddress,
    MeterClock,
    RegisterReading,
    RelayState,
)
from fairwatt.drivers.errors import MeterRefused, UnreadableValue
from fairwatt.drivers.profile import MeterProfile, ProfileError, only

from .frame import (
    ABNORMAL,
    ANY_ADDRESS,
    ANY_KIND,
    FROM_METER,
    READ_ADDRESS,
    READ_DATA,
    WRITE_DATA,
    Frame,
    build_frame,
    frames,
    wire_address,
)
from .values import (
    CLOCK_BYTES,
    QUANTITY_BYTES,
    STATUS_BYTES,
    Layout,
    conditions,
    decode_clock,
    decode_quantity,
    encode_clock,
    parse_layout,
    parse_units,
    valve_open,
)

OPEN_VALVE: Final = 0x55
SHUT_VALVE: Final = 0x99
IDENTIFIERS: Final = {"data": "1F90", "valve": "A017", "clock": "15A0", "address": "810A"}
"""As they travel: meters in the field agree on 1FH 90H, and on A0H 17H for the valve."""


class Cjt188Meter:
    """A meter that reads its register. `zone` is the zone its clock keeps."""

    def __init__(
        self,
        *,
        profile: MeterProfile,
        address: str,
        zone: str = "Asia/Shanghai",
        password: str = "",
        operator: str = "",
        retry: Retry = STANDARD_RETRY,
    ) -> None:
        self.profile = profile
        self.address = address
        self._retry = retry
        self._zone = zone
        self._wire = wire_address(number=address)
        self._layout: Layout = parse_layout(profile=profile)
        self._units = parse_units(profile=profile)
        self._kind, self._echoes_serial, self._identifiers = _settings(profile)
        self._serial = 0

    def read_register(self) -> Conversation[RegisterReading]:
        """Ask for the cumulative register in litres, or in Wh of heat."""
        return self._converse(self._register())

    def _register(self) -> Talk[RegisterReading]:
        value = yield self._data()
        at = self._layout.register_at
        total = decode_quantity(
            value[at : at + QUANTITY_BYTES], medium_unit=self.profile.medium.unit, extra=self._units
        )
        return RegisterReading(total, register=self.profile.register)

    def _data(self) -> Ask[bytes]:
        """The question for everything the meter shows (901FH); a reply of another length is another model's."""
        ask = self._ask(READ_DATA, "data")

        def hear(heard: bytes) -> bytes | None:
            value = ask.hear(heard)
            if value is not None and len(value) != self._layout.size:
                raise UnreadableValue(what=f"{self._layout.size} bytes of meter data", data=value)
            return value

        return Ask(frame=ask.frame, hear=hear)

    def _ask(self, control: int, name: str, value: bytes = b"") -> Ask[bytes]:
        # Every question has a number of its own, so that a late answer to an older one is not taken.
        self._serial = (self._serial + 1) & 0xFF
        data = self._identifiers[name] + bytes([self._serial])
        request = build_frame(kind=self._kind, address=self._wire, control=control, data=data + value)

        def hear(heard: bytes) -> bytes | None:
            for frame in frames(heard):
                if self._answers(frame, control, data):
                    return frame.data[3:]
            return None

        return Ask(frame=request, hear=hear)

    def _answers(self, frame: Frame, control: int, data: bytes) -> bool:
        if frame.address != self._wire or frame.control & ~ABNORMAL != control | FROM_METER:
            return False
        if frame.is_abnormal:
            raise MeterRefused(
                number=frame.number, reason=f"its error words are {frame.data.hex() or 'none'}"
            )
        echo = 3 if self._echoes_serial else 2
        return len(frame.data) >= 3 and frame.data[:echo] == data[:echo]

    def _converse[ReplyT](self, talk: Talk[ReplyT]) -> Conversation[ReplyT]:
        return Conversation(number=self.address, talk=talk, retry=self._retry)


class _WithStatus(Cjt188Meter):
    def read_conditions(self) -> Conversation[Conditions]:
        """Ask what its status word says is wrong now."""
        return self._converse(self._conditions())

    def _conditions(self) -> Talk[Conditions]:
        return Conditions(conditions((yield from self._status()), layout=self._layout))

    def _status(self) -> Talk[bytes]:
        value = yield self._data()
        at = self._layout.status_at
        assert at is not None
        return bytes(value[at : at + STATUS_BYTES])


class _WithClock(_WithStatus):
    def read_clock(self) -> Conversation[MeterClock]:
        """Ask what time the meter believes it is."""
        return self._converse(self._clock())

    def set_clock(self, *, at_us: int) -> Conversation[Accepted]:
        """Set the meter's clock (A015H)."""
        return self._converse(self._write("clock", encode_clock(at_us, zone=self._zone)))

    def _clock(self) -> Talk[MeterClock]:
        value = yield self._data()
        at = self._layout.clock_at
        assert at is not None
        return MeterClock(decode_clock(value[at : at + CLOCK_BYTES], zone=self._zone))

    def _write(self, name: str, value: bytes) -> Talk[Accepted]:
        yield self._ask(WRITE_DATA, name, value)
        return Accepted()


class Cjt188ValveMeter(_WithClock):
    """A meter with a valve. The order carries no validity: send it when it is decided, or not at all."""

    def read_relay(self) -> Conversation[RelayState]:
        """Ask where the valve is; ``closed`` of the reply means supply, so the valve is open."""
        return self._converse(self._valve())

    def open_relay(self, *, valid_until_us: int) -> Conversation[Accepted]:
        """Order the valve shut: supply is cut."""
        return self._converse(self._write("valve", bytes([SHUT_VALVE])))

    def close_relay(self, *, valid_until_us: int) -> Conversation[Accepted]:
        """Order the valve open: supply is restored."""
        return self._converse(self._write("valve", bytes([OPEN_VALVE])))

    def _valve(self) -> Talk[RelayState]:
        status = yield from self._status()
        opened = valve_open(status, layout=self._layout)
        if opened is None:
            raise UnreadableValue(
                what="its valve's state", data=status, why="which means the valve is neither open nor shut"
            )
        return RelayState(closed=opened, ordered_closed=opened)


def open_cjt188(*, profile: MeterProfile, **settings: Any) -> Cjt188Meter:
    """Return a meter that can do what its profile has. Raises `ProfileError`."""
    layout = parse_layout(profile=profile)
    if profile.settings.get("meter", {}).get("valve", False):
        if layout.status_at is None or layout.clock_at is None:
            raise ProfileError(f"Meter profile {profile.key!r}: a valve needs layout.status_at and clock_at.")
        return Cjt188ValveMeter(profile=profile, **settings)
    if layout.status_at is None:
        return Cjt188Meter(profile=profile, **settings)
    return (_WithStatus if layout.clock_at is None else _WithClock)(profile=profile, **settings)


def read_address(*, retry: Retry = STANDARD_RETRY) -> Conversation[MeterAddress]:
    """Ask who is on the line. Works only where one meter answers: two on a bus garble each other."""
    data = bytes.fromhex(IDENTIFIERS["address"]) + b"\0"
    request = build_frame(kind=ANY_KIND, address=ANY_ADDRESS, control=READ_ADDRESS, data=data)

    def hear(heard: bytes) -> MeterAddress | None:
        told = [frame for frame in frames(heard) if frame.control == READ_ADDRESS | FROM_METER]
        return MeterAddress(told[0].number) if told else None

    return Conversation(number="A" * 14, talk=single(Ask(frame=request, hear=hear)), retry=retry)


def _settings(profile: MeterProfile) -> tuple[int, bool, dict[str, bytes]]:
    row = only(profile.settings.get("meter", {}), "kind", "valve", "echoes_serial", where="Table [meter]")
    own = only(profile.settings.get("identifiers", {}), *IDENTIFIERS, where="Table [identifiers]")
    kind, echoes = row.get("kind"), row.get("echoes_serial", True)
    try:
        named = IDENTIFIERS | own
        identifiers = {name: bytes.fromhex(named[name]) for name in IDENTIFIERS}
    except (ValueError, TypeError) as error:
        raise ProfileError(
            f"Meter profile {profile.key!r}: [identifiers] are four hexadecimal digits."
        ) from error
    whole = type(kind) is int and 0 <= kind <= 0xFF and type(echoes) is bool
    if not whole or any(len(one) != 2 for one in identifiers.values()):
        raise ProfileError(
            f"Meter profile {profile.key!r}: meter.kind is a byte, meter.echoes_serial true or false, and "
            "identifiers four hexadecimal digits as they travel."
        )
    return kind, echoes, identifiers
