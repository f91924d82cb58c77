"""One meter that speaks MQTT itself: what it says, and orders for it."""

from __future__ import annotations

from typing import Any, Final

from fairwatt.drivers.contract import (
    Heard,
    MeterClock,
    MeterEventKind,
    PowerReading,
    RegisterReading,
    RelayState,
)
from fairwatt.drivers.errors import BadRequest, UnreadableValue
from fairwatt.drivers.profile import MeterProfile, ProfileError, only

from . import message as wire

_SECOND_US: Final = 1_000_000
_POSITIONS: Final = {"open": False, "closed": True, 0: False, 1: True}
_I32: Final = 1 << 31


class MqttMeter:
    """``address`` is the id in its topics. Orders are worded in the form it spoke last, CBOR before it spoke."""

    def __init__(self, *, profile: MeterProfile, address: str) -> None:
        self.profile = profile
        self.meter = wire.check_id(address)
        row = only(profile.settings.get("message", {}), "form", "relay", where="Table [message]")
        if row.get("form") not in ("cbor", "json"):
            raise ProfileError(f'Meter profile {profile.key!r}: message.form is "cbor" or "json".')
        self.as_json = row["form"] == "json"

    def hear(self, message: bytes) -> Heard:
        """Read a message of this meter. Raises `NotAMessage` and `UnreadableValue`."""
        fields = wire.read(message)
        if fields["meter"] != self.meter:
            raise wire.wrong(f"it is of meter {fields['meter']}, not of {self.meter}")
        self.as_json = wire.is_json(message)
        sequence, clock_s = _whole(fields, "seq", 0, 1 << 63), _whole(fields, "clock", 0, 1 << 32)
        if sequence is None:
            raise wire.wrong("its seq is missing")
        power = _whole(fields, "power", -_I32, _I32)
        awake_s = _whole(fields, "awake", 0, 1 << 32)
        return Heard(
            key=f"mqtt:{self.meter}:{sequence}:{'' if clock_s is None else clock_s}",
            device=self.meter,
            sequence=sequence,
            at_us=None if clock_s is None else clock_s * _SECOND_US,
            reading=self._reading(fields),
            relay=_relay(fields),
            power=None if power is None else PowerReading(power),
            clock=None if clock_s is None else MeterClock(clock_s * _SECOND_US),
            conditions=_conditions(fields.get("conditions", [])),
            order=_order(fields.get("order")),
            # It is awake now, and says how long it will listen; without that it listens always.
            reachable=awake_s != 0,
            sleeps=awake_s is not None,
        )

    def _reading(self, fields: dict[str, Any]) -> RegisterReading | None:
        total = _whole(fields, "register", 0, 1 << 63)
        if total is None:
            return None
        if total >= self.profile.modulus_wh:
            raise UnreadableValue(
                what="its register", data=str(total).encode(), why="which its register cannot show"
            )
        return RegisterReading(total, register=self.profile.register)


class MqttRelayMeter(MqttMeter):
    """A meter with a relay or a valve."""

    def order_relay(self, *, closed: bool, order_id: str, valid_until_us: int) -> bytes:
        """Word an order. The meter refuses it after ``valid_until_us`` by its own clock. Raises `BadRequest`."""
        until_s = valid_until_us // _SECOND_US
        if not 0 <= until_s < 1 << 32:
            raise BadRequest(f"An order cannot be valid until {valid_until_us}: nothing was sent.")
        relay: str | int = ("closed" if closed else "open") if self.as_json else int(closed)
        fields = {"v": wire.VERSION, "meter": self.meter, "relay": relay}
        fields |= {"order": wire.check_id(order_id), "until": until_s}
        return wire.write(fields, as_json=self.as_json)


def open_mqtt_meter(*, profile: MeterProfile, address: str) -> MqttMeter:
    """Return a meter that can do what its profile says. Raises `BadRequest`."""
    has_relay = profile.settings.get("message", {}).get("relay", False)
    return (MqttRelayMeter if has_relay else MqttMeter)(profile=profile, address=address)


def _whole(fields: dict[str, Any], name: str, low: int, end: int) -> int | None:
    value = fields.get(name)
    if value is not None and (type(value) is not int or not low <= value < end):
        raise wire.wrong(f"its {name} is no whole number in its bounds")
    return value


def _relay(fields: dict[str, Any]) -> RelayState | None:
    told = fields.get("relay")
    if told is None:
        return None
    ordered = fields.get("ordered", told)
    if not all(type(one) in (str, int) and one in _POSITIONS for one in (told, ordered)):
        raise wire.wrong("its relay is neither open nor closed")
    return RelayState(closed=_POSITIONS[told], ordered_closed=_POSITIONS[ordered])


def _conditions(told: object) -> frozenset[MeterEventKind]:
    if not isinstance(told, list) or len(told) > len(MeterEventKind):
        raise wire.wrong("its conditions are no list of words")
    try:
        return frozenset(MeterEventKind(word) for word in told)
    except (ValueError, TypeError) as error:
        raise wire.wrong(f"nobody knows the condition ({error})") from error


def _order(told: object) -> str | None:
    if told is not None and (not isinstance(told, str) or len(told) > 64):
        raise wire.wrong("its order is no id")
    return told if isinstance(told, str) else None
