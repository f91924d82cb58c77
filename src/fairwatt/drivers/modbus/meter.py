"""One Modbus meter of one model: the registers its profile names, and its relay if it has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fairwatt.drivers.asking import STANDARD_RETRY, Ask, Conversation, Retry, Talk
from fairwatt.drivers.contract import (
    Accepted,
    CurrentReading,
    Measurements,
    PhaseReading,
    PowerReading,
    RegisterReading,
    RelayState,
    VoltageReading,
)
from fairwatt.drivers.errors import UnreadableValue
from fairwatt.drivers.profile import MeterProfile, ProfileError, only

from .frame import Framing, RtuFraming, TcpFraming, check_unit
from .pdu import REGISTERS_MAX, WRITE_COIL, WRITE_REGISTER, Question
from .values import Item, parse_bit, parse_item

_FRAMINGS: Final[dict[str, Callable[[int], Framing]]] = {"modbus-rtu": RtuFraming, "modbus-tcp": TcpFraming}
_MEASURED_MAX: Final = (1 << 31) - 1
_PHASE: Final = ("voltage_dv", "current_ma", "power_w", "power_factor_milli")
_WHOLE: Final = (
    "neutral_current_ma",
    "frequency_chz",
    "terminal_temperature_dc",
    "residual_current_ma",
    "voltage_thd_pm",
    "current_thd_pm",
)


class ModbusMeter:
    """A meter that reads its register and whatever else its profile says where to find.

    ``address`` is the unit number, 1 to 247. Power, voltage and current are those of the whole meter, or of
    the first phase where the profile names phases only.
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
        self._retry = retry
        self._framing: Framing = _FRAMINGS[profile.protocol](check_unit(number=address))
        rows = _table(profile, "items")
        if "energy" not in rows:
            raise ProfileError(f"Meter profile {profile.key!r} lacks items.energy.")
        self._energy = parse_item(name="energy", row=rows["energy"], step=profile.resolution_wh)
        self._items = {name: parse_item(name=name, row=rows[name]) for name in rows if name != "energy"}
        self._reads_over = only(profile.settings.get("bus", {}), "reads_over_gaps", where="Table [bus]").get(
            "reads_over_gaps", 0
        )
        unknown = [name for name in self._items if not _is_known(name)]
        if unknown:
            raise ProfileError(f"Meter profile {profile.key!r}: nobody reads {', '.join(unknown)}.")

    def read_register(self) -> Conversation[RegisterReading]:
        """Ask for the cumulative register in Wh (or litres), rounded to the profile's resolution."""
        return self._converse(self._register())

    def read_measurements(self) -> Conversation[Measurements]:
        """Ask for everything the profile names, in as few questions as the registers allow."""
        return self._converse(self._measure())

    def _register(self) -> Talk[RegisterReading]:
        data = yield self._ask(self._energy.question)
        total = self._energy.decode(data)
        if total is None or not 0 <= total <= self.profile.modulus_wh:
            raise UnreadableValue(what="energy", data=data, why="which its register cannot show")
        # A float32 cannot hold 999999.99: the meter sends 1000000.0, and shows 0 one step later.
        return RegisterReading(total % self.profile.modulus_wh, register=self.profile.register)

    def _measure(self) -> Talk[Measurements]:
        told: dict[str, int | None] = {}
        for block in self._blocks():
            first, last = block[0], block[-1]
            count = last.address + last.words - first.address
            data = yield self._ask(Question(function=first.function, address=first.address, count=count))
            for item in block:
                at = 2 * (item.address - first.address)
                told[item.name] = _measured(item, data[at : at + 2 * item.words])
        return _measurements(told)

    def _blocks(self) -> list[list[Item]]:
        """Group items that one question can fetch; over a gap only where the model allows reading it."""
        blocks: list[list[Item]] = []
        for item in sorted(self._items.values(), key=lambda one: (one.function, one.address)):
            if blocks and self._joins(blocks[-1], item):
                blocks[-1].append(item)
            else:
                blocks.append([item])
        return blocks

    def _joins(self, block: list[Item], item: Item) -> bool:
        first, last = block[0], block[-1]
        adjoins = item.address == last.address + last.words
        span = item.address + item.words - first.address
        return first.function == item.function and span <= (REGISTERS_MAX if adjoins else self._reads_over)

    def _one(self, name: str) -> Talk[int]:
        item = self._items[name]
        data = yield self._ask(item.question)
        value = _measured(item, data)
        if value is None:
            raise UnreadableValue(what=name, data=data, why="which means it is not measured")
        return value

    def _ask(self, question: Question) -> Ask[bytes]:
        request = self._framing.request(question)
        return Ask(frame=request, hear=self._framing.listener(question, request))

    def _converse[ReplyT](self, talk: Talk[ReplyT]) -> Conversation[ReplyT]:
        return Conversation(number=self.address, talk=talk, retry=self._retry)


class ModbusLoadMeter(ModbusMeter):
    """A Modbus meter whose profile names power, voltage and current."""

    def read_power(self) -> Conversation[PowerReading]:
        """Ask for the present power in W."""
        return self._converse(self._power())

    def read_voltage(self) -> Conversation[VoltageReading]:
        """Ask for the voltage in tenths of a volt."""
        return self._converse(self._voltage())

    def read_current(self) -> Conversation[CurrentReading]:
        """Ask for the current in mA."""
        return self._converse(self._current())

    def _power(self) -> Talk[PowerReading]:
        return PowerReading((yield from self._one("power_w")))

    def _voltage(self) -> Talk[VoltageReading]:
        return VoltageReading((yield from self._one("a.voltage_dv")))

    def _current(self) -> Talk[CurrentReading]:
        return CurrentReading((yield from self._one("a.current_ma")))


class ModbusRelayMeter(ModbusMeter):
    """A Modbus meter with a relay behind a coil or a register.

    Modbus orders carry no validity: whoever sends one sends it when it is decided, or not at all.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        row = only(
            _table(self.profile, "relay"),
            "state",
            "ordered",
            "closed",
            "open",
            "close",
            where="Table [relay]",
        )
        self._state = parse_bit(name="relay.state", row=row.get("state", {}))
        self._ordered = parse_bit(name="relay.ordered", row=row["ordered"]) if "ordered" in row else None
        self._open = _order(self.profile, row, "open")
        self._close = _order(self.profile, row, "close")
        self._closed_bit = row.get("closed", 1)
        if self._closed_bit not in (0, 1):
            raise ProfileError(f"Meter profile {self.profile.key!r}: relay.closed is 0 or 1.")

    def read_relay(self) -> Conversation[RelayState]:
        """Ask where the relay really is."""
        return self._converse(self._relay())

    def open_relay(self, *, valid_until_us: int) -> Conversation[Accepted]:
        """Order supply cut."""
        return self._converse(self._write(self._open))

    def close_relay(self, *, valid_until_us: int) -> Conversation[Accepted]:
        """Order supply restored."""
        return self._converse(self._write(self._close))

    def _relay(self) -> Talk[RelayState]:
        closed = yield from self._bit(self._state)
        ordered = closed if self._ordered is None else (yield from self._bit(self._ordered))
        return RelayState(closed=closed, ordered_closed=ordered)

    def _bit(self, question: Question) -> Talk[bool]:
        data = yield self._ask(question)
        return bool(data[0] & 1 == self._closed_bit)

    def _write(self, question: Question) -> Talk[Accepted]:
        yield self._ask(question)
        return Accepted()


class ModbusPrepaidMeter(ModbusRelayMeter, ModbusLoadMeter):
    """A Modbus meter with a relay, whose profile names power, voltage and current."""


def open_modbus(*, profile: MeterProfile, **settings: Any) -> ModbusMeter:
    """Return a meter that can do what its profile has the registers for. Raises `ProfileError`."""
    load = {"power_w", "a.voltage_dv", "a.current_ma"} <= _table(profile, "items").keys()
    if "relay" in profile.settings:
        return (ModbusPrepaidMeter if load else ModbusRelayMeter)(profile=profile, **settings)
    return (ModbusLoadMeter if load else ModbusMeter)(profile=profile, **settings)


def _measured(item: Item, data: bytes) -> int | None:
    """A measured value, within what a reading has room for. Raises `UnreadableValue`: a float may say anything."""
    value = item.decode(data)
    if value is not None and abs(value) > _MEASURED_MAX:
        raise UnreadableValue(what=item.name, data=data, why="which no meter measures")
    return value


def _table(profile: MeterProfile, name: str) -> dict[str, Any]:
    """One table of the profile; tables of phases inside it are folded to `a.voltage_dv`."""
    table = profile.settings.get(name)
    if not isinstance(table, dict) or not all(isinstance(row, dict | int) for row in table.values()):
        raise ProfileError(f"Meter profile {profile.key!r} lacks the table [{name}].")
    flat: dict[str, Any] = {}
    for key, row in table.items():
        if name == "items" and key in ("a", "b", "c"):
            flat |= {f"{key}.{quantity}": one for quantity, one in row.items()}
        else:
            flat[key] = row
    return flat


def _order(profile: MeterProfile, row: dict[str, Any], name: str) -> Question:
    order = only(row.get(name, {}), "function", "address", "value", where=f"Table relay.{name}")
    function, address, value = order.get("function"), order.get("address"), order.get("value")
    whole = type(address) is int and type(value) is int and 0 <= address <= 0xFFFF and 0 <= value <= 0xFFFF
    if function not in (WRITE_COIL, WRITE_REGISTER) or not whole:
        raise ProfileError(
            f"Meter profile {profile.key!r}: relay.{name} needs function 5 or 6, an address and a value of 16 bits."
        )
    return Question(function=function, address=address, values=(value,))


def _is_known(name: str) -> bool:
    _, dot, quantity = name.partition(".")
    return quantity in _PHASE if dot else name in _WHOLE or name == "power_w"


def _measurements(told: dict[str, int | None]) -> Measurements:
    phases = []
    for phase in ("a", "b", "c"):
        known = {name: told[f"{phase}.{name}"] for name in _PHASE if f"{phase}.{name}" in told}
        if phase == "a" and "power_w" in told and "power_w" not in known:
            known["power_w"] = told["power_w"]
        if known:
            phases.append(PhaseReading(**known))
    return Measurements(phases=tuple(phases), **{name: told.get(name) for name in _WHOLE})
