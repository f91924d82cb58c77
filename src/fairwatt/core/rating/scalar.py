"""Rate one interval with plain integers: the reference that every other path must equal.

Price component j is a whole-number function of all use so far; what one interval costs is the difference of
its floors, so however readings split the time, the charges add up to the same micro-unit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fairwatt.core.rating.day_prices import DayPrices
from fairwatt.core.rating.elements.energy_blocks import MAX_ENERGY_WH
from fairwatt.core.rating.model import NoTariff, Schedule
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import CARRY_NANO_LIMIT, CARRY_TAX_LIMIT, Charge, RegisterState
from fairwatt.core.rating.unit_rates import unknown_price
from fairwatt.core.spans import Span, to_datetime


class EnergyOutOfRange(ValueError):
    """More energy in one interval than can be rated exactly, or less than none."""


class NotAfterState(ValueError):
    """A reading that is not later than the state it is rated from."""


class MissingPrice(NoTariff):
    """The market series of the tariff has no price for an instant; nothing is charged, supply stays on."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an interval inside one segment and one block: the line that explains a charge.

    ``nano`` is the exact price in nano-units, ``fine_tax`` the exact tax in billionths of a micro-unit;
    ``version`` and ``period`` are indexes into the schedule, ``segment`` into the table. ``counter_wh`` is the
    use counted in the window before the piece.
    """

    start_us: int
    end_us: int
    version: int
    period: int
    window_us: int
    block: int
    counter_wh: int
    energy_wh: int
    price_micro: int
    nano: int
    segment: int
    fine_tax: int


def opening_state(
    *, schedule: Schedule, at_us: int, register_wh: int, counter_wh: int = 0, bill: Span | None = None
) -> RegisterState:
    """Start rating a register from one reading: nothing carried, ``counter_wh`` already used in the window.

    Raises ``NoTariff`` when no version is in force at the instant.
    """
    window_us = DayPrices(schedule=schedule, bill=bill).window_us_at(at_us)
    return RegisterState(at_us, register_wh, counter_wh, window_us, 0, 0)


def pieces(*, table: SegmentTable, state: RegisterState, at_us: int, energy_wh: int) -> Iterator[Piece]:
    """Split the use since ``state`` at price boundaries and block bounds, in order, and price each part.

    A boundary inside the interval gets the reading ``r0 + energy * (tb - t0) // (t1 - t0)``. A stretch
    without use yields one piece of zero energy, so the counter window still moves on.
    """
    first, last = table.locate(start_us=state.at_us, end_us=at_us)
    duration_us = at_us - state.at_us
    counter_wh, window_us = state.counter_wh, state.window_us
    start_us, used_wh = state.at_us, 0
    for index in range(first, last + 1):
        end_us = at_us if index == last else table.starts_us[index + 1]
        upto_wh = energy_wh * (end_us - state.at_us) // duration_us
        if table.window_us[index] != window_us:
            counter_wh, window_us = 0, table.window_us[index]
        yield from _by_block(table, index, start_us, end_us, counter_wh, upto_wh - used_wh)
        counter_wh += upto_wh - used_wh
        start_us, used_wh = end_us, upto_wh


def rate(
    *, table: SegmentTable, state: RegisterState, at_us: int, register_wh: int, energy_wh: int
) -> tuple[Charge, RegisterState]:
    """Charge the energy used since ``state`` and return the charge with the state after it.

    ``energy_wh`` is the unwrapped use (see ``metering.register.advance``); ``register_wh`` is only kept as
    the register now shown. Raises ``NotAfterState``, ``EnergyOutOfRange`` or ``NoTariff``; none of them
    moves money.
    """
    if at_us <= state.at_us:
        raise NotAfterState(f"reading at {at_us} is not after the state at {state.at_us}; nothing is charged")
    if not 0 <= energy_wh <= MAX_ENERGY_WH:
        raise EnergyOutOfRange(
            f"{energy_wh} Wh in one interval is not between 0 and {MAX_ENERGY_WH}; nothing is charged"
        )
    nano, tax = state.carry_nano, state.carry_tax
    counter_wh, window_us = state.counter_wh, state.window_us
    for piece in pieces(table=table, state=state, at_us=at_us, energy_wh=energy_wh):
        nano += piece.nano
        tax += piece.fine_tax
        counter_wh, window_us = piece.counter_wh + piece.energy_wh, piece.window_us
    standing_micro, standing_tax = table.standing_between(start_us=state.at_us, end_us=at_us)
    tax += standing_tax
    charge = Charge(
        energy_wh=energy_wh,
        energy_micro=nano // CARRY_NANO_LIMIT,
        standing_micro=standing_micro,
        tax_micro=tax // CARRY_TAX_LIMIT,
    )
    after = RegisterState(
        at_us=at_us,
        register_wh=register_wh,
        counter_wh=counter_wh,
        window_us=window_us,
        carry_nano=nano % CARRY_NANO_LIMIT,
        carry_tax=tax % CARRY_TAX_LIMIT,
    )
    return charge, after


def _by_block(
    table: SegmentTable, index: int, start_us: int, end_us: int, counter_wh: int, energy_wh: int
) -> Iterator[Piece]:
    rate = table.rate[index]
    if not rate.priced:
        raise missing_price(start_us)
    version, period, window_us = table.version[index], table.period[index], table.window_us[index]
    bounds = rate.bounds_wh
    at_wh, end_wh = counter_wh, counter_wh + energy_wh
    block = sum(bound <= at_wh for bound in bounds)
    while True:
        upto_wh = min(end_wh, bounds[block]) if block < len(bounds) else end_wh
        if block in rate.unknown and upto_wh > at_wh:
            raise unknown_price(rate=rate, block=block, at_us=start_us)
        step_wh, price, fine = upto_wh - at_wh, rate.prices_micro[block], rate.fine_tax[block]
        yield Piece(
            start_us=start_us,
            end_us=end_us,
            version=version,
            period=period,
            window_us=window_us,
            block=block,
            counter_wh=at_wh,
            energy_wh=step_wh,
            price_micro=price,
            nano=step_wh * price,
            segment=index,
            fine_tax=step_wh * fine,
        )
        if upto_wh == end_wh:
            return
        at_wh, block = upto_wh, block + 1


def missing_price(at_us: int) -> MissingPrice:
    """Make the error of a stretch without a market price."""
    return MissingPrice(
        f"the market series has no price for {to_datetime(at_us):%Y-%m-%d %H:%M} UTC; nothing is charged and "
        "supply stays on, add the missing prices to the series and publish it"
    )
