"""Questions to a DL/T 645-2007 meter, as exchanges that own no wire and no clock."""

from __future__ import annotations

from collections.abc import Callable

from fairwatt.drivers.contract import (
    Accepted,
    CurrentReading,
    MeterAddress,
    PowerReading,
    RegisterReading,
    RelayState,
    VoltageReading,
)
from fairwatt.drivers.errors import UnreadableValue

from . import codec
from .access import nothing_more
from .clock import meter_time
from .codec import ControlOrder, Item, Order
from .exchange import STANDARD_RETRY, FrameExchange, Retry, one_meter
from .frame import BROADCAST, CONTROL, READ_ADDRESS, READ_DATA, SET_TIME, build_frame, wire_address


def read_item[ReplyT](
    *,
    address: str,
    identifier: int,
    parse: Callable[[bytes], ReplyT],
    retry: Retry = STANDARD_RETRY,
) -> FrameExchange[ReplyT]:
    """Ask a meter for any data item; `parse` gets the value bytes without the identifier."""
    wire = identifier.to_bytes(4, "little")
    return FrameExchange(
        address=wire_address(number=address),
        control=READ_DATA,
        data=wire,
        parse=parse,
        echo=wire,
        retry=retry,
    )


def read_energy(
    *, address: str, item: Item = codec.FORWARD_ACTIVE_TOTAL, retry: Retry = STANDARD_RETRY
) -> FrameExchange[RegisterReading]:
    """Ask for the forward active register, in Wh (steps of 10 Wh)."""
    return read_item(
        address=address,
        identifier=item.identifier,
        parse=lambda data: RegisterReading(item.decode(data)),
        retry=retry,
    )


def read_power(
    *, address: str, item: Item = codec.ACTIVE_POWER, retry: Retry = STANDARD_RETRY
) -> FrameExchange[PowerReading]:
    """Ask for the present active power, in watts."""
    return read_item(
        address=address,
        identifier=item.identifier,
        parse=lambda data: PowerReading(item.decode(data)),
        retry=retry,
    )


def read_voltage(
    *, address: str, item: Item = codec.VOLTAGE_A, retry: Retry = STANDARD_RETRY
) -> FrameExchange[VoltageReading]:
    """Ask for the voltage, in tenths of a volt."""
    return read_item(
        address=address,
        identifier=item.identifier,
        parse=lambda data: VoltageReading(item.decode(data)),
        retry=retry,
    )


def read_current(
    *, address: str, item: Item = codec.CURRENT_A, retry: Retry = STANDARD_RETRY
) -> FrameExchange[CurrentReading]:
    """Ask for the current, in milliamperes."""
    return read_item(
        address=address,
        identifier=item.identifier,
        parse=lambda data: CurrentReading(item.decode(data)),
        retry=retry,
    )


def read_status3(*, address: str, retry: Retry = STANDARD_RETRY) -> FrameExchange[RelayState]:
    """Ask where the relay is: status word 3 (04000503H)."""
    return read_item(
        address=address,
        identifier=codec.STATUS_3,
        parse=lambda data: RelayState(*codec.decode_status_3(data)),
        retry=retry,
    )


def read_address(*, address: str = "A" * 12, retry: Retry = STANDARD_RETRY) -> FrameExchange[MeterAddress]:
    """Ask who is on the line (13H). Works only where one meter answers: two on a bus garble each other."""
    return FrameExchange(
        address=wire_address(number=address),
        control=READ_ADDRESS,
        data=b"",
        parse=_parse_address,
        retry=retry,
    )


def relay(
    *,
    address: str,
    open: bool,  # noqa: A002 - the field's word for the order
    valid_until_us: int,
    zone: str,
    password: str,
    operator: str,
    retry: Retry = STANDARD_RETRY,
) -> FrameExchange[Accepted]:
    """Order the relay open (1AH) or directly closed (1CH); the meter obeys until `valid_until_us`.

    `zone` is the zone of the meter's own clock; `password` is eight digits, level first; `operator` is
    eight digits. The reply is an acknowledgement only: read status word 3 for the proof.
    """
    return control(
        address=address,
        order=Order.TRIP if open else Order.CLOSE,
        valid_until_us=valid_until_us,
        zone=zone,
        password=password,
        operator=operator,
        retry=retry,
    )


def alarm(
    *,
    address: str,
    on: bool,
    valid_until_us: int,
    zone: str,
    password: str,
    operator: str,
    retry: Retry = STANDARD_RETRY,
) -> FrameExchange[Accepted]:
    """Start (2AH) or end (2BH) the low-credit alarm at the meter. Supply is not touched."""
    return control(
        address=address,
        order=Order.ALARM if on else Order.END_ALARM,
        valid_until_us=valid_until_us,
        zone=zone,
        password=password,
        operator=operator,
        retry=retry,
    )


def control(
    *,
    address: str,
    order: Order,
    valid_until_us: int,
    zone: str,
    password: str,
    operator: str,
    retry: Retry = STANDARD_RETRY,
) -> FrameExchange[Accepted]:
    """Give one meter one order of function 1CH. Repeating it is harmless: the same order twice is one.

    Raises `BadRequest` for a wildcard or broadcast address: an order must never reach a neighbour's relay.
    """
    target = one_meter(number=address)
    wire = ControlOrder(order=order, password=password, operator=operator, valid_until_us=valid_until_us)
    return FrameExchange(
        address=target,
        control=CONTROL,
        data=wire.encode(zone=zone),
        parse=nothing_more,
        retry=retry,
    )


def broadcast_time(*, at_us: int, zone: str) -> bytes:
    """Return the frame that sets every clock on a bus (08H). No meter answers it.

    Meters take it only for small corrections; a clock that is far off stays off.
    """
    return build_frame(
        address=BROADCAST, control=SET_TIME, data=meter_time(at_us=at_us, zone=zone), preamble=4
    )


def _parse_address(data: bytes) -> MeterAddress:
    if len(data) != 6:
        raise UnreadableValue(what="an address", data=data)
    return MeterAddress(data[::-1].hex().upper())
