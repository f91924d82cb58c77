"""One LoRaWAN meter of one model behind ChirpStack: what its uplinks say, and orders for its valve."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from fairwatt.drivers.contract import Heard, RegisterReading, RelayState
from fairwatt.drivers.errors import BadRequest, NotAMessage, UnreadableValue
from fairwatt.drivers.profile import MeterProfile, ProfileError, only

from .chirpstack import PROTOCOL, Uplink, read_eui, read_uplink, write_downlink
from .payload import Payload, crc8, parse_payload, register_of

_SECOND_US: Final = 1_000_000
_ORDER_RANGE: Final = 1 << 16
ORDER_FORM: Final = 0x81
OPEN_VALVE: Final = 0x55
SHUT_VALVE: Final = 0x99


class LorawanMeter:
    """A meter whose bytes its profile explains. ``address`` is its EUI."""

    def __init__(self, *, profile: MeterProfile, address: str) -> None:
        self.profile = profile
        try:
            self.dev_eui = read_eui(address)
        except NotAMessage as error:
            raise BadRequest(
                f"{address!r} is not a device's EUI: it has sixteen hexadecimal digits."
            ) from error

    def hear(self, message: bytes) -> Heard:
        """Read an `up` event of this device.

        One without a payload on this model's port says that the device is alive and nothing of its register.
        Raises `NotAMessage` and `UnreadableValue`.
        """
        uplink = read_uplink(message)
        if uplink.dev_eui != self.dev_eui:
            raise NotAMessage(
                protocol=PROTOCOL, why=f"it is of device {uplink.dev_eui}, not of {self.dev_eui}"
            )
        return self._understand(uplink)

    def _understand(self, uplink: Uplink) -> Heard:
        raise NotImplementedError

    def _heard(self, uplink: Uplink, **told: Any) -> Heard:
        return Heard(
            key=f"lora:{uplink.dev_eui}:{uplink.key}",
            device=uplink.dev_eui,
            sequence=uplink.f_cnt,
            at_us=uplink.at_us,
            reachable=uplink.listens,
            **told,
        )


class BytesMeter(LorawanMeter):
    """A meter whose payload is taken to pieces here, by the table [uplink]."""

    def __init__(self, *, profile: MeterProfile, address: str) -> None:
        super().__init__(profile=profile, address=address)
        self.payload: Payload = parse_payload(profile=profile)

    def _understand(self, uplink: Uplink) -> Heard:
        data = uplink.data
        if uplink.f_port != self.payload.port or not data:
            return self._heard(uplink)
        self.payload.check(data)
        valve = self.payload.valve(data)
        order = self.payload.order
        return self._heard(
            uplink,
            reading=RegisterReading(
                register_of(self.payload, data, profile=self.profile), register=self.profile.register
            ),
            relay=None if valve is None else RelayState(closed=valve[0], ordered_closed=valve[1]),
            conditions=self.payload.wrong(data),
            order=None if order is None else str(order.read(data)),
        )


class ValveMeter(BytesMeter):
    """A meter with a valve that takes the nine bytes of docs/protocol/lorawan.md, or its model's own."""

    def __init__(self, *, profile: MeterProfile, address: str) -> None:
        super().__init__(profile=profile, address=address)
        row = only(profile.settings["downlink"], "port", "form", "open", "shut", where="Table [downlink]")
        self._port, self._form = row.get("port"), row.get("form")
        try:
            self._open, self._shut = bytes.fromhex(row.get("open", "")), bytes.fromhex(row.get("shut", ""))
        except (ValueError, TypeError) as error:
            raise ProfileError(
                f"Meter profile {profile.key!r}: downlink.open and .shut are hexadecimal."
            ) from error
        whole = type(self._port) is int and 1 <= self._port <= 223
        if not whole or not (self._form == "fairwatt" or (self._open and self._shut)):
            raise ProfileError(
                f'Meter profile {profile.key!r}: [downlink] has a port, and form = "fairwatt" or open and shut.'
            )

    def order_relay(self, *, closed: bool, order_id: str, valid_until_us: int) -> bytes:
        """Word an order as ChirpStack takes it. It lapses in the network's queue at ``valid_until_us``.

        ``closed`` means supply: the valve open. In our own form the device itself knows the number and the end
        of validity, too, and says which order it obeyed last.
        """
        if self._form == "fairwatt":
            data = order_bytes(opened=closed, order_id=order_id, valid_until_us=valid_until_us)
        else:
            data = self._open if closed else self._shut
        return write_downlink(
            dev_eui=self.dev_eui, f_port=self._port, data=data, order_id=order_id, expires_us=valid_until_us
        )


class ObjectMeter(LorawanMeter):
    """A meter whose payload the network server takes to pieces; the profile names the field of its `object`."""

    def __init__(self, *, profile: MeterProfile, address: str) -> None:
        super().__init__(profile=profile, address=address)
        row = only(profile.settings["object"], "register", "scale", where="Table [object]")
        self._name = row.get("register")
        times, over = row.get("scale", [1, 1])
        if not isinstance(self._name, str) or type(times) is not int or type(over) is not int or over < 1:
            raise ProfileError(
                f"Meter profile {profile.key!r}: [object] names the register's field, and scale as two whole numbers."
            )
        self._scale = Fraction(times, over)

    def _understand(self, uplink: Uplink) -> Heard:
        shown = uplink.object
        if shown is None or self._name not in shown:
            return self._heard(uplink)
        value = shown[self._name]
        if isinstance(value, bool) or not isinstance(value, int | Fraction):
            raise UnreadableValue(what="its register", data=str(value).encode()[:80])
        steps = value * self._scale / self.profile.resolution_wh
        # The codec there may have made a float of it: the nearest step is what the device meant.
        total = (
            (2 * steps.numerator + steps.denominator) // (2 * steps.denominator) * self.profile.resolution_wh
        )
        if not 0 <= total < self.profile.modulus_wh:
            raise UnreadableValue(
                what="its register", data=str(value).encode(), why="which its register cannot show"
            )
        return self._heard(uplink, reading=RegisterReading(total, register=self.profile.register))


def order_bytes(*, opened: bool, order_id: str, valid_until_us: int) -> bytes:
    """The nine bytes of an order in our own form."""
    if not order_id.isascii() or not order_id.isdigit():
        raise BadRequest(
            f"Order {order_id!r} has no number: a device of this form wants digits. Nothing was sent."
        )
    until_s = valid_until_us // _SECOND_US
    if not 0 <= until_s < 1 << 32:
        raise BadRequest(f"An order cannot be valid until {valid_until_us}: nothing was sent.")
    number = int(order_id) % _ORDER_RANGE
    body = bytes([ORDER_FORM, OPEN_VALVE if opened else SHUT_VALVE])
    body += number.to_bytes(2, "little") + until_s.to_bytes(4, "little")
    return body + bytes([crc8(body)])


def open_chirpstack(*, profile: MeterProfile, address: str) -> LorawanMeter:
    """Return a meter that can do what its profile has. Raises `ProfileError` and `BadRequest`."""
    if "object" in profile.settings:
        return ObjectMeter(profile=profile, address=address)
    kind = ValveMeter if "downlink" in profile.settings else BytesMeter
    return kind(profile=profile, address=address)
