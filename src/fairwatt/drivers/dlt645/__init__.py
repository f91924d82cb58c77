"""DL/T 645-2007, the electricity meter protocol of China: frames, values, exchanges. No I/O."""

from .client import (
    FrameExchange,
    Retry,
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
from .errors import (
    BadRequest,
    Edition1997,
    MeterRefused,
    NoAnswer,
    ReplyContinues,
    UnreadableValue,
)

__all__ = [
    "BadRequest",
    "Edition1997",
    "FrameExchange",
    "Item",
    "MeterRefused",
    "NoAnswer",
    "Order",
    "ReplyContinues",
    "Retry",
    "UnreadableValue",
    "alarm",
    "broadcast_time",
    "control",
    "read_address",
    "read_current",
    "read_energy",
    "read_item",
    "read_power",
    "read_status3",
    "read_voltage",
    "relay",
]
