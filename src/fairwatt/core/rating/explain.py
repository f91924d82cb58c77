"""Why a charge is what it is: every step from two register readings to whole micro-units, each figure exact.

The account is made by rating the interval again from the state before it, with the same ``scalar.pieces`` that
charged it, so the words a person reads and the money that moved cannot drift apart: what was charged is compared
figure by figure, and a difference is part of the account, never left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fairwatt.core.rating.model import NoTariff
from fairwatt.core.rating.scalar import Piece, pieces, rate
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.shares import share_on
from fairwatt.core.rating.state import CARRY_NANO_LIMIT, CARRY_TAX_LIMIT, Charge, RegisterState
from fairwatt.core.units import BP


@dataclass(frozen=True, slots=True)
class Share:
    """Part of the use at one price: what version, period and block it fell in, and what it came to exactly.

    ``block`` counts from 1; ``block_from_wh`` and ``block_to_wh`` bound it (``None``: no end). The counter is what
    was used in the window (``window_us``, 0: nothing is counted) before and after. ``nano`` is Wh x price, and
    ``fine_tax`` the taxes on it in billionths of a micro-unit; ``tax_bp`` is their rate on the first energy
    element. Where several elements price a unit, the price is their sum.
    """

    start_us: int
    end_us: int
    version: int
    version_name: str
    period: str
    counter: str
    window_us: int
    block: int
    blocks: int
    block_from_wh: int
    block_to_wh: int | None
    counter_before_wh: int
    counter_after_wh: int
    energy_wh: int
    price_micro: int
    nano: int
    tax_bp: int
    fine_tax: int


@dataclass(frozen=True, slots=True)
class Boundary:
    """A register reading that nobody took: the straight line between two readings, where a price changed."""

    at_us: int
    register_wh: int


@dataclass(frozen=True, slots=True)
class Midnight:
    """An instant inside the interval at which a fixed amount fell due: the midnight that ends a day, mostly."""

    at_us: int
    version: int
    micro: int
    tax_bp: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that was stored otherwise than rating gives it now."""

    name: str
    stored: int
    recomputed: int


@dataclass(frozen=True, slots=True)
class Explained:
    """The whole account of one interval. ``differences`` is empty when it is what was charged, bit for bit.

    Fractions: ``carry_*`` are those of the register before and after (nano-units; tax in billionths of a
    micro-unit); ``energy_nano`` and ``tax_exact`` are what the interval added to them.
    """

    before: RegisterState
    after: RegisterState
    energy_wh: int
    rolled_over: bool
    shares: tuple[Share, ...]
    boundaries: tuple[Boundary, ...]
    midnights: tuple[Midnight, ...]
    energy_nano: int
    tax_exact: int
    charge: Charge
    differences: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        """True when the account gives what was charged, to the last fraction."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class Charged:
    """What a line says was charged, and the state it says the register was left in."""

    energy_wh: int
    energy_micro: int
    standing_micro: int
    tax_micro: int
    counter_wh: int
    carry_nano: int
    carry_tax: int


def explain_interval(
    *,
    table: SegmentTable,
    before: RegisterState,
    at_us: int,
    register_wh: int,
    modulus_wh: int,
    charged: Charged | None = None,
) -> Explained:
    """Account for the use between the state ``before`` and a reading; compare it with what was ``charged``.

    ``modulus_wh`` is where the register wraps to zero. Raises what rating raises: ``NoTariff``,
    ``NotAfterState``, ``EnergyOutOfRange``.
    """
    energy_wh = table.schedule.grown(before=before.register_wh, after=register_wh, modulus=modulus_wh)
    charge, after = rate(table=table, state=before, at_us=at_us, register_wh=register_wh, energy_wh=energy_wh)
    made = list(pieces(table=table, state=before, at_us=at_us, energy_wh=energy_wh))
    midnights = _midnights(table, start_us=before.at_us, end_us=at_us)
    shares = tuple(_share(table, piece) for piece in made)
    nano = sum(share.nano for share in shares)
    tax = sum(share.fine_tax for share in shares)
    tax += table.standing_between(start_us=before.at_us, end_us=at_us)[1]
    account = Explained(
        before=before,
        after=after,
        energy_wh=energy_wh,
        rolled_over=register_wh < before.register_wh,
        shares=shares,
        boundaries=_boundaries(
            table, before, at_us, (register_wh - before.register_wh) % modulus_wh, modulus_wh
        ),
        midnights=midnights,
        energy_nano=nano,
        tax_exact=tax,
        charge=charge,
        differences=(),
    )
    differences = (*_slips(account), *(_differences(charge, after, charged) if charged else ()))
    return replace(account, differences=differences)


def moved_nano(*, table: SegmentTable, interval: Explained, at_us: int, by_us: int) -> int | None:
    """How much more the use of an interval would have cost had both readings been taken ``by_us`` earlier.

    Exact, before tax, by the same straight line. None where a counting window begins so near that the use would have
    been counted in another one, or where no price is known.
    """
    before = replace(interval.before, at_us=interval.before.at_us - by_us)
    spans = ((before.at_us, at_us - by_us), (interval.before.at_us, at_us))
    try:
        ends = [table.locate(start_us=start, end_us=end) for start, end in spans]
        first, last = min(end[0] for end in ends), max(end[1] for end in ends)
        if first < 0 or len({table.window_us[n] for n in range(first, last + 1)}) > 1:
            return None
        shifted = list(pieces(table=table, state=before, at_us=at_us - by_us, energy_wh=interval.energy_wh))
    except NoTariff:
        return None
    return sum(piece.nano for piece in shifted) - interval.energy_nano


def add_exactly(*, carry: int, exact: int, limit: int) -> tuple[int, int]:
    """Add an exact amount to a carried fraction: (whole micro-units charged, fraction carried on).

    ``limit`` is one micro-unit in the unit of the fraction. Cut toward minus infinity, as everywhere.
    """
    return divmod(carry + exact, limit)


def _share(table: SegmentTable, piece: Piece) -> Share:
    version = table.schedule.versions[piece.version]
    rate_row = table.rate[piece.segment]
    bounds, packaged = rate_row.bounds_wh, [part.element for part in rate_row.parts if part.period < 0]
    return Share(
        start_us=piece.start_us,
        end_us=piece.end_us,
        version=version.number,
        version_name=version.name,
        period=packaged[0] if packaged else version.energy.periods[piece.period].name,
        counter=version.counting.counter,
        window_us=piece.window_us,
        block=piece.block + 1,
        blocks=len(bounds) + 1,
        block_from_wh=bounds[piece.block - 1] if piece.block else 0,
        block_to_wh=bounds[piece.block] if piece.block < len(bounds) else None,
        counter_before_wh=piece.counter_wh,
        counter_after_wh=piece.counter_wh + piece.energy_wh,
        energy_wh=piece.energy_wh,
        price_micro=piece.price_micro,
        nano=piece.nano,
        tax_bp=version.energy_tax_bp,
        fine_tax=piece.fine_tax,
    )


def _boundaries(
    table: SegmentTable, before: RegisterState, at_us: int, metered_wh: int, modulus_wh: int
) -> tuple[Boundary, ...]:
    first, last = table.locate(start_us=before.at_us, end_us=at_us)
    duration_us = at_us - before.at_us
    return tuple(
        Boundary(
            instant,
            (before.register_wh + metered_wh * (instant - before.at_us) // duration_us) % modulus_wh,
        )
        for instant in table.starts_us[first + 1 : last + 1]
    )


def _midnights(table: SegmentTable, *, start_us: int, end_us: int) -> tuple[Midnight, ...]:
    """What falls due in (start, end], by element."""
    versions = table.schedule.versions
    return tuple(
        Midnight(
            due.at_us,
            versions[due.version].number,
            due.micro,
            int(share_on(versions[due.version], due.element) * BP),
        )
        for due in table.dues(start_us=start_us, end_us=end_us)
        if due.micro
    )


def _slips(account: Explained) -> list[Difference]:
    """Where the steps do not add up to the charge they explain: a fault of this program, said aloud."""
    energy, carry_nano = add_exactly(
        carry=account.before.carry_nano, exact=account.energy_nano, limit=CARRY_NANO_LIMIT
    )
    tax, carry_tax = add_exactly(
        carry=account.before.carry_tax, exact=account.tax_exact, limit=CARRY_TAX_LIMIT
    )
    steps = {
        "steps.energy_wh": (account.charge.energy_wh, sum(share.energy_wh for share in account.shares)),
        "steps.energy_micro": (account.charge.energy_micro, energy),
        "steps.standing_micro": (account.charge.standing_micro, sum(m.micro for m in account.midnights)),
        "steps.tax_micro": (account.charge.tax_micro, tax),
        "steps.carry_nano": (account.after.carry_nano, carry_nano),
        "steps.carry_tax": (account.after.carry_tax, carry_tax),
    }
    return [Difference(name, was, is_) for name, (was, is_) in steps.items() if was != is_]


def _differences(charge: Charge, after: RegisterState, charged: Charged) -> list[Difference]:
    pairs = {
        "energy_wh": (charged.energy_wh, charge.energy_wh),
        "energy_micro": (charged.energy_micro, charge.energy_micro),
        "standing_micro": (charged.standing_micro, charge.standing_micro),
        "tax_micro": (charged.tax_micro, charge.tax_micro),
        "counter_wh": (charged.counter_wh, after.counter_wh),
        "carry_nano": (charged.carry_nano, after.carry_nano),
        "carry_tax": (charged.carry_tax, after.carry_tax),
    }
    return [Difference(name, was, is_) for name, (was, is_) in pairs.items() if was != is_]
