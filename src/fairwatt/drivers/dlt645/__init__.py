"""DL/T 645-2007, the electricity meter protocol of China: frames, values, exchanges. No I/O."""

from fairwatt.drivers.errors import BadRequest, NoAnswer, UnreadableValue

from .access import (
    change_password,
    change_speed,
    clear_demand,
    clear_events,
    clear_meter,
    write_address,
    write_item,
)
from .blocks import read_block, read_tariff_energies
from .client import (
    alarm,
    broadcast_time,
    control,
    read_address,
    read_current,
    read_energy,
    read_item,
    read_power,
    read_status3,
    read_voltage,
    relay,
)
from .codec import Item, Order
from .errors import ClockNotTaken, Edition1997, MeterRefused, NoMac, ReplyContinues, ReplyTooLong
from .exchange import FrameExchange, Retry
from .follow_up import JoinedExchange
from .freezes import FreezeKind, FrozenEnergy, broadcast_freeze, freeze_at, freeze_now, read_frozen_energy
from .timekeeping import correct_clock, read_clock, set_clock

__all__ = [
    "BadRequest",
    "ClockNotTaken",
    "Edition1997",
    "FrameExchange",
    "FreezeKind",
    "FrozenEnergy",
    "Item",
    "JoinedExchange",
    "MeterRefused",
    "NoAnswer",
    "NoMac",
    "Order",
    "ReplyContinues",
    "ReplyTooLong",
    "Retry",
    "UnreadableValue",
    "alarm",
    "broadcast_freeze",
    "broadcast_time",
    "change_password",
    "change_speed",
    "clear_demand",
    "clear_events",
    "clear_meter",
    "control",
    "correct_clock",
    "freeze_at",
    "freeze_now",
    "read_address",
    "read_block",
    "read_clock",
    "read_current",
    "read_energy",
    "read_frozen_energy",
    "read_item",
    "read_power",
    "read_status3",
    "read_tariff_energies",
    "read_voltage",
    "relay",
    "set_clock",
    "write_address",
    "write_item",
]
