"""Questions to a DL/T 645-2007 meter, as exchanges that own no wire and no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.contract import (
    Accepted,
    CurrentReading,
    MeterAddress,
    PowerReading,
    RegisterReading,
    RelayState,
    VoltageReading,
)

from . import codec
from .clock import meter_time
from .codec import ControlOrder, Item, Order
from .errors import BadRequest, Edition1997, MeterRefused, NoAnswer, ReplyContinues, UnreadableValue
from .frame import (
    BROADCAST,
    CONTROL,
    FUNCTION_BITS,
    READ_ADDRESS,
    READ_DATA,
    SET_TIME,
    WILDCARD,
    Frame,
    address_matches,
    build_frame,
    wire_address,
)
from .stream import FrameStream


@dataclass(frozen=True, slots=True)
class Retry:
    """How often to ask, and how long to wait for each answer.

    A meter may think for 500 ms and needs 0.1 s to say 20 bytes at 2400 bit/s; the rest is the network
    between us and the bus. `wake` is the number of FEH bytes in front of a request.
    """

    attempts: int = 3
    reply_within_ms: int = 1500
    wake: int = 4


STANDARD_RETRY: Final = Retry()


class FrameExchange[ReplyT]:
    """One question to one meter, answered by exactly one frame.

    Frames that are not the answer (our own echo on a two-wire line, another meter's reply, a late reply
    about another item) are stepped over.
    """

    __slots__ = ("_address", "_control", "_echo", "_parse", "_request", "_sent", "_stream", "retry")

    def __init__(
        self,
        *,
        address: bytes,
        control: int,
        data: bytes,
        parse: Callable[[bytes], ReplyT],
        echo: bytes = b"",
        retry: Retry = STANDARD_RETRY,
    ) -> None:
        self._address = address
        self._control = control
        self._echo = echo
        self._parse = parse
        self._request = build_frame(address=address, control=control, data=data, preamble=retry.wake)
        self._sent = 0
        self._stream = FrameStream()
        self.retry = retry

    @property
    def reply_within_ms(self) -> int:
        """How long to wait after each send before asking again."""
        return self.retry.reply_within_ms

    @property
    def damaged(self) -> int:
        """Frames this exchange dropped for a wrong checksum: a sign of a bad line."""
        return self._stream.damaged

    def request(self) -> bytes:
        """Return the bytes to send, first or again. Raises `NoAnswer` when all attempts are used up."""
        if self._sent >= self.retry.attempts:
            raise NoAnswer(number=self._number, attempts=self._sent)
        self._sent += 1
        self._stream.reset()
        return self._request

    def feed(self, data: bytes) -> ReplyT | None:
        """Take bytes from the line; return the reply once it is whole.

        Raises `MeterRefused`, `Edition1997`, `UnreadableValue` or `ReplyContinues`: asking again would
        bring the same, so the exchange is over.
        """
        for frame in self._stream.feed(data):
            if self._is_answer(frame):
                return self._parse(frame.data[len(self._echo) :])
        return None

    def _is_answer(self, frame: Frame) -> bool:
        if not frame.from_meter or not address_matches(pattern=self._address, address=frame.address):
            return False
        if frame.is_1997:
            raise Edition1997(number=frame.number)
        if frame.control & FUNCTION_BITS != self._control:
            return False
        if frame.is_abnormal:
            err = frame.data[0] if frame.data else 0
            raise MeterRefused(number=frame.number, function=self._control, err=err)
        if not frame.data.startswith(self._echo):
            return False
        if frame.more_follows:
            raise ReplyContinues(number=frame.number)
        return True

    @property
    def _number(self) -> str:
        return self._address[::-1].hex().upper()


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
    target = wire_address(number=address)
    if WILDCARD in target or target == BROADCAST:
        raise BadRequest(f"An order needs the full address of one meter, not {address}. Nothing was sent.")
    wire = ControlOrder(order=order, password=password, operator=operator, valid_until_us=valid_until_us)
    return FrameExchange(
        address=target,
        control=CONTROL,
        data=wire.encode(zone=zone),
        parse=_parse_nothing,
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


def _parse_nothing(data: bytes) -> Accepted:
    if data:
        raise UnreadableValue(what="an empty acknowledgement", data=data)
    return Accepted()
