"""A meter behind a pulse counter module, whose counters are asked for over Modbus."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.asking import STANDARD_RETRY, Ask, Conversation, Retry, Talk
from fairwatt.drivers.contract import PulseState, RegisterReading
from fairwatt.drivers.modbus.frame import Framing, RtuFraming, TcpFraming, check_unit
from fairwatt.drivers.modbus.values import Item, parse_item
from fairwatt.drivers.profile import MeterProfile, ProfileError

from .counter import look, parse_address, parse_pulses, register

_KINDS: Final = {16: "uint16", 32: "uint32"}


class PulseMeter:
    """One channel of a counter module. Keep `state` where power does not take it, and hand it back with `resume`.

    Without it a 32-bit counter is still right (it does not turn over in a meter's life); a 16-bit one shows a
    register too small by whole turns, which is set aside as a fall, not charged.
    """

    def __init__(
        self,
        *,
        profile: MeterProfile,
        address: str,
        zone: str = "UTC",
        password: str = "",
        operator: str = "",
        retry: Retry = STANDARD_RETRY,
    ) -> None:
        self.profile = profile
        self.address = address
        self.state: PulseState | None = None
        self._retry = retry
        self._pulses = parse_pulses(profile=profile)
        unit, channel, self._opening = parse_address(address)
        if self._opening.count >= self._pulses.range:
            raise ProfileError(
                f"The counter of {address!r} has {self._pulses.bits} bits: it never stood there."
            )
        self._item = _item(profile, channel, self._pulses.bits)
        framing = profile.settings["counter"].get("framing", "rtu")
        self._framing: Framing = (TcpFraming if framing == "tcp" else RtuFraming)(check_unit(number=unit))

    def resume(self, state: PulseState) -> None:
        """Go on from what was remembered of this counter."""
        self.state = state

    def read_register(self) -> Conversation[RegisterReading]:
        """Ask for the counter and tell what the meter's own dial shows. Raises `CounterFell` when it fell."""
        return Conversation(number=self.address, talk=self._register(), retry=self._retry)

    def _register(self) -> Talk[RegisterReading]:
        request = self._framing.request(self._item.question)
        listener = self._framing.listener(self._item.question, request)
        data: bytes = yield Ask(frame=request, hear=listener)
        self.state = look(
            pulses=self._pulses,
            opening=self._opening,
            before=self.state,
            count=self._item.bits(data),
            number=self.address,
        )
        total = register(
            pulses=self._pulses, opening=self._opening, state=self.state, modulus=self.profile.modulus_wh
        )
        return RegisterReading(total, register=self.profile.register)


def _item(profile: MeterProfile, channel: int, bits: int) -> Item:
    row = profile.settings["counter"]
    stride, channels = row.get("stride", bits // 16), row.get("channels", 1)
    if type(stride) is not int or type(channels) is not int or not 1 <= channel <= channels:
        raise ProfileError(
            f"Meter profile {profile.key!r} has counters 1 to {channels}; there is no counter {channel}."
        )
    first = {name: row[name] for name in row.keys() & {"function", "address", "word_order", "byte_order"}}
    item = parse_item(name="counter", row={**first, "type": _KINDS[bits]})
    return parse_item(
        name="counter", row={**first, "type": _KINDS[bits], "address": item.address + stride * (channel - 1)}
    )
