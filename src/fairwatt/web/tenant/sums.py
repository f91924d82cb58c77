"""The sum of a charge in plain words: each price with what was used at it, the standing charge, the tax, the total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.translation import gettext, pgettext

from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.model import NoTariff, Schedule, Tax
from fairwatt.core.rating.scalar import Piece, pieces
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.spans import from_datetime
from fairwatt.store.models import Line
from fairwatt.web.design import format as text
from fairwatt.web.design import words
from fairwatt.web.prices import price_at, unit_of


@dataclass(frozen=True, kw_only=True)
class Use:
    """A line of use and where its interval began."""

    line: Line
    start_us: int


class Sums:
    """Puts charges into words under one schedule."""

    def __init__(self, *, schedule: Schedule | None, currency: str) -> None:
        self._schedule = schedule
        self._currency = currency
        self.unit = unit_of(schedule=schedule)

    def in_words(self, *, group: Sequence[Use], energy_wh: int) -> str:
        """One charge: "0.43 kWh × ¥0.568 peak, tier 1 + 13% VAT = ¥0.2760"."""
        lines = [use.line for use in group]
        energy = sum(line.energy_micro for line in lines)
        standing = sum(line.standing_micro for line in lines)
        tax = sum(line.tax_micro for line in lines)
        parts = [self._energy(group, energy_wh, energy)] if energy_wh else []
        if standing:
            parts.append(gettext("standing charge %(amount)s") % {"amount": self._fine(standing)})
        if not parts and not tax:
            return gettext("nothing used")
        if tax:
            parts.append(self._tax(lines[-1], tax))
        total = text.charge(micro=energy + standing + tax, currency=self._currency)
        return f"{' + '.join(parts)} = {total}"

    def split_at_a_price(self, *, group: Sequence[Use]) -> bool:
        """Whether a price changed inside an interval, so that its use was split where the straight line says."""
        return any(
            self._crosses(use) for use in group if use.line.energy_wh and use.line.kind == Kind.READING
        )

    def _crosses(self, use: Use) -> bool:
        if self._schedule is None:
            return False
        try:
            first, last = self._table.locate(start_us=use.start_us, end_us=from_datetime(use.line.ts))
        except NoTariff:
            return False
        return first != last

    def _fine(self, micro: int) -> str:
        return text.money_fine(micro=micro, currency=self._currency)

    def _tax(self, line: Line, tax_micro: int) -> str:
        versions = self._schedule.versions if self._schedule else ()
        version = next((v for v in versions if v.number == line.tariff_version), None)
        tax = next((e for e in version.elements if isinstance(e, Tax)), None) if version else None
        if tax is None:
            return gettext("tax %(amount)s") % {"amount": self._fine(tax_micro)}
        whole, part = divmod(tax.rate_bp, 100)
        rate = f"{whole}.{part:02d}" if part else f"{whole}"
        return gettext("%(rate)s%% %(tax)s") % {"rate": rate, "tax": words.tax(tax.name)}

    def _energy(self, group: Sequence[Use], energy_wh: int, energy_micro: int) -> str:
        if self._schedule is not None:
            last = group[-1].line
            price = price_at(
                schedule=self._schedule,
                version_number=last.tariff_version,
                at_us=from_datetime(last.ts) - 1,
                counter_wh=max(0, last.counter_wh - 1),
            )
            # One price explains the amount only if it gives the amount; each line may floor once.
            if price and abs(energy_wh * price.price_micro // 1000 - energy_micro) <= len(group):
                tier = price.block if price.blocks > 1 else 0
                return self._priced(energy_wh, price.price_micro, price.period, tier)
            found = self._at_each_price(self._schedule, group)
            if found and abs(sum(wh * key[0] for key, wh in found.items()) // 1000 - energy_micro) <= len(
                group
            ):
                return " + ".join(self._priced(wh, *key) for key, wh in found.items())
        return gettext("%(kwh)s at two or more prices %(amount)s") % {
            "kwh": self._used(energy_wh),
            "amount": self._fine(energy_micro),
        }

    def _at_each_price(self, schedule: Schedule, group: Sequence[Use]) -> dict[tuple[int, str, int], int]:
        """Watt-hours by (price, period, tier), in the order they were used; empty when the past has no tariff."""
        used: dict[tuple[int, str, int], int] = {}
        for use in group:
            try:
                made = self._pieces(use)
            except NoTariff:
                return {}
            for piece in made:
                energy = schedule.versions[piece.version].energy
                tier = piece.block + 1 if energy.bounds_wh else 0
                key = (piece.price_micro, energy.periods[piece.period].name, tier)
                if piece.energy_wh:
                    used[key] = used.get(key, 0) + piece.energy_wh
        return used

    def _pieces(self, use: Use) -> list[Piece]:
        """Rate the line again, without money: the same split that the poster made."""
        end_us = from_datetime(use.line.ts)
        first, last = self._table.locate(start_us=use.start_us, end_us=end_us)
        window_us = self._table.window_us[first]
        # Over a month's end the count before is not in this line; the amount is compared afterwards.
        same = self._table.window_us[last] == window_us
        counter_wh = max(0, use.line.counter_wh - use.line.energy_wh) if same else 0
        state = RegisterState(use.start_us, 0, counter_wh, window_us, 0, 0)
        return list(pieces(table=self._table, state=state, at_us=end_us, energy_wh=use.line.energy_wh))

    @cached_property
    def _table(self) -> SegmentTable:
        assert self._schedule is not None, "only asked for with a schedule"
        return SegmentTable(schedule=self._schedule)

    def _priced(self, wh: int, price_micro: int, period: str, tier: int) -> str:
        price = text.money_exact(micro=price_micro, currency=self._currency)
        if period != "all":
            price += f" {words.period(period)}"
        if tier:
            price += pgettext("after a price", ", tier %(n)d") % {"n": tier}
        return f"{self._used(wh)} × {price}"

    def _used(self, wh: int) -> str:
        return text.used(wh=wh, places=3 if wh % 10 else 2, unit=self.unit)
