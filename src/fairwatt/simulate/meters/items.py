"""What a simulated meter sends for an identifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fairwatt.drivers.contract import PhaseReading
from fairwatt.drivers.dlt645 import blocks, codec
from fairwatt.drivers.dlt645.clock import meter_date, meter_time
from fairwatt.drivers.dlt645.codec import Item
from fairwatt.drivers.dlt645.measure import FREQUENCY, NEUTRAL_CURRENT
from fairwatt.drivers.dlt645.status import STATUS_BLOCK, STATUS_WORDS, word_of

if TYPE_CHECKING:
    from .meter import SimMeter

FORWARD_BLOCK: Final = blocks.FORWARD_ACTIVE_BLOCK
REVERSE_TOTAL: Final = Item("reverse active energy", 0x00020000, 4, times=10)
POWER_LIMIT: Final = Item("power limit", 0x04090B01, 3, over=10)
TERMINAL_TEMPERATURE: Final = Item("terminal temperature", 0x02FE0001, 2, signed=True)
RESIDUAL_CURRENT: Final = Item("residual current", 0x02FE0002, 2)
INSIDE_TEMPERATURE: Final = Item("temperature inside the meter", 0x02800007, 2, signed=True)
CARRIES_REGISTER: Final = (codec.FORWARD_ACTIVE_TOTAL.identifier, FORWARD_BLOCK)
"""Reading one of these tells the register: the bus notes what left the meter."""
_ALL: Final = 0xFF
_TARIFFS: Final = 4

# DI2 of a present value: the form of its items, and whether DI1 00 is the total of the phases.
_QUANTITIES: Final = {
    0x01: (blocks.VOLTAGE_BLOCK, "voltage_dv", False),
    0x02: (blocks.CURRENT_BLOCK, "current_ma", False),
    0x03: (blocks.POWER_BLOCK, "power_w", True),
    0x06: (blocks.POWER_FACTOR_BLOCK, "power_factor_milli", True),
}
_DISTORTIONS: Final = {
    0x08: (blocks.VOLTAGE_THD_BLOCK, "voltage_thd_pm"),
    0x09: (blocks.CURRENT_THD_BLOCK, "current_thd_pm"),
}


def value_of(meter: SimMeter, identifier: int, *, now_us: int) -> bytes | None:
    """Return the value of a data item as the meter would send it now, or None for one it does not hold."""
    match identifier >> 24:
        case 0x00:
            return _energy(meter, identifier, now_us)
        case 0x02:
            return _present(meter, identifier)
        case 0x03 | 0x1D | 0x1E:
            wallet = meter.wallet.value(identifier) if meter.wallet is not None else None
            return wallet if wallet is not None else meter.events.value(identifier, zone=meter.zone)
        case 0x04:
            return _parameter(meter, identifier, now_us)
        case 0x05:
            return meter.freezes.value(identifier)
        case _:
            return None


def energies(meter: SimMeter, *, shown_wh: int | None = None) -> bytes:
    """Return the forward block: the total, then four tariffs. The true register, or what a faulty one shows."""
    shown = meter.register_wh % meter.modulus_wh if shown_wh is None else shown_wh
    tariffs = [meter.tariff_wh(number) % meter.modulus_wh for number in range(1, _TARIFFS + 1)]
    return b"".join(codec.FORWARD_ACTIVE_TOTAL.encode(wh) for wh in (shown, *tariffs))


def _energy(meter: SimMeter, identifier: int, now_us: int) -> bytes | None:
    total = codec.FORWARD_ACTIVE_TOTAL
    if identifier == total.identifier:
        return total.encode(meter.shown_wh(now_us=now_us))
    if identifier == FORWARD_BLOCK:
        return energies(meter, shown_wh=meter.shown_wh(now_us=now_us))
    if identifier == REVERSE_TOTAL.identifier:
        return REVERSE_TOTAL.encode(meter.reverse_wh % meter.modulus_wh)
    if identifier == 0x00000000:
        return total.encode((meter.register_wh + meter.reverse_wh) % meter.modulus_wh)
    if identifier >> 16 == 0x0001:
        tariff, settlement = identifier >> 8 & 0xFF, identifier & 0xFF
        if 1 <= tariff <= _TARIFFS and settlement == 0:
            return total.encode(meter.tariff_wh(tariff) % meter.modulus_wh)
        return _settled(meter, tariff, settlement)
    return meter.wallet.value(identifier) if meter.wallet is not None else None


def _settled(meter: SimMeter, tariff: int, settlement: int) -> bytes | None:
    if not 1 <= settlement <= 12 or (tariff > _TARIFFS and tariff != _ALL):
        return None
    kept = meter.freezes.settlements
    block = kept[settlement - 1].energies if settlement <= len(kept) else bytes(4 * (1 + _TARIFFS))
    return block if tariff == _ALL else block[4 * tariff : 4 * tariff + 4]


def _present(meter: SimMeter, identifier: int) -> bytes | None:
    seen = meter.seen()
    single: dict[int, tuple[Item, int | None]] = {
        NEUTRAL_CURRENT.identifier: (NEUTRAL_CURRENT, meter.neutral_current()),
        FREQUENCY.identifier: (FREQUENCY, meter.frequency_chz),
        INSIDE_TEMPERATURE.identifier: (INSIDE_TEMPERATURE, meter.inside_temperature_dc),
        TERMINAL_TEMPERATURE.identifier: (TERMINAL_TEMPERATURE, meter.terminal_temperature_dc),
        RESIDUAL_CURRENT.identifier: (RESIDUAL_CURRENT, meter.residual_current_ma),
    }
    if identifier in single:
        item, value = single[identifier]
        return None if value is None else item.encode(value)
    quantity, phase, last = identifier >> 16 & 0xFF, identifier >> 8 & 0xFF, identifier & 0xFF
    if last != 0:
        return None
    if quantity in _DISTORTIONS:
        item, name = _DISTORTIONS[quantity]
        return _of_phases([item.encode(getattr(one, name)) for one in meter.phases], phase, first=1)
    if quantity not in _QUANTITIES:
        return None
    item, name, has_total = _QUANTITIES[quantity]
    values = [item.encode(getattr(one, name) or 0) for one in seen]
    if has_total:
        values.insert(0, item.encode(_total(seen, name)))
    return _of_phases(values, phase, first=0 if has_total else 1)


def _of_phases(values: list[bytes], phase: int, *, first: int) -> bytes | None:
    if phase == _ALL:
        return b"".join(values)
    return values[phase - first] if 0 <= phase - first < len(values) else None


def _total(seen: tuple[PhaseReading, ...], name: str) -> int:
    if name == "power_w":
        return sum(one.power_w or 0 for one in seen)
    power = sum(one.power_w or 0 for one in seen)
    apparent = sum(abs((one.power_w or 0) * 1000 // (one.power_factor_milli or 1)) for one in seen)
    return power * 1000 // apparent if apparent else 1000


def _parameter(meter: SimMeter, identifier: int, now_us: int) -> bytes | None:
    clock_us = meter.clock_us(now_us=now_us)
    if identifier == codec.DATE:
        return meter_date(at_us=clock_us, zone=meter.zone)
    if identifier == codec.TIME:
        return meter_time(at_us=clock_us, zone=meter.zone)[:3]
    if identifier == codec.ADDRESS:
        return meter.address
    if identifier in STATUS_WORDS:
        return status_word(meter, identifier - STATUS_WORDS[0] + 1)
    if identifier == STATUS_BLOCK:
        return b"".join(status_word(meter, word) for word in range(1, 8))
    if identifier == POWER_LIMIT.identifier:
        return POWER_LIMIT.encode(meter.power_limit_w or 0)
    if identifier in meter.parameters:
        return meter.parameters[identifier]
    return meter.wallet.value(identifier) if meter.wallet is not None else None


def status_word(meter: SimMeter, word: int) -> bytes:
    """Return one of the seven status words, with the flags this meter can have."""
    if word == 3:
        plain = codec.encode_status_3(
            closed=meter.relay_closed, ordered_closed=meter.ordered_closed, trip_warning=meter.alarm
        )
        return bytes([plain[0], plain[1] | (0x10 if meter.keeps_power else 0)])
    flags: set[str] = set()
    if word == 1 and any((one.power_w or 0) < 0 for one in meter.seen()):
        flags.add("active power reversed")
    if word == 1 and meter.low_battery:
        flags.add("clock battery low")
    if word == 2:
        for letter, one in zip("ABC", meter.seen(), strict=False):
            if (one.power_w or 0) < 0:
                flags.add(f"active power of phase {letter} reversed")
    if word in (4, 5, 6) and word - 4 < len(meter.phases):
        flags |= meter.phase_flags(word - 4)
    return word_of(word=word, flags=frozenset(flags))
