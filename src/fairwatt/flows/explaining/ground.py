"""The ground a line stands on: which register, which tariff text, and where the register stood before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from fairwatt.core.rating.accounts import AccountValue, for_account_over_time, values_of
from fairwatt.core.rating.explain import Charged, Explained, explain_interval
from fairwatt.core.rating.scalar import opening_state
from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.state import RegisterState
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.flows.explaining.account import Meter
from fairwatt.flows.posting.rerating import start_window
from fairwatt.store.accounts import values_of_installation
from fairwatt.store.lines import LineRow, reading_before
from fairwatt.store.models import Installation, Rerating, TariffPublication

TARIFF_CACHE: Final = 64
_FAR_US: Final = 4_000_000_000_000_000
"""Later than any reading: the year 2096."""


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A tariff text as published; `corrects` when it replaced prices that had been charged."""

    id: int
    published_us: int
    text: str
    corrects: bool


class Ground:
    """One installation and everything about it that lines are recomputed from. Read once, asked often."""

    def __init__(self, *, cursor: Any, installation: int) -> None:
        self.cursor = cursor
        self.installation = Installation.objects.select_related("meter", "plan", "wallet__book").get(
            pk=installation
        )
        self.publications = [
            Publication(
                id=row.pk,
                published_us=row.published_us,
                text=row.text,
                corrects=row.correction_id is not None,
            )
            for row in TariffPublication.objects.filter(plan_id=self.installation.plan_id).order_by("pk")
        ]
        self._values = values_of_installation(cursor=cursor, installation=installation)
        self.reratings = list(
            Rerating.objects.filter(installation=installation).order_by("last_seq", "batch")
        )

    @property
    def modulus_wh(self) -> int:
        """Where the register wraps to zero."""
        return int(self.installation.meter.modulus_wh)

    def publication(self, *, seq: int) -> Publication:
        """The tariff text that a line of this register was charged under.

        Ordinary publications never change what is in force already, so the newest of them serves every line;
        one that corrects the past counts only from the register's own rerating on.
        """
        opened_us = self.installation.opened_us
        corrections = [p for p in self.publications if p.corrects]
        taken = max((p.id for p in corrections if p.published_us <= opened_us), default=0)
        taken = max([taken, *(r.publication for r in self.reratings if r.last_seq < seq)])
        following = min((p.id for p in corrections if p.id > taken), default=None)
        return [p for p in self.publications if following is None or p.id < following][-1]

    def values_under(self, text: str) -> tuple[AccountValue, ...]:
        """What a tariff text asks of this home's parameters."""
        return values_of(
            self._values,
            schedule=parse_schedule(text),
            opened_us=self.installation.opened_us,
            started_us=self.installation.wallet.opened_us,
            transformer=self.installation.transformer,
        )

    def table(self, *, seq: int) -> SegmentTable:
        """The prices that a line was charged under."""
        text = self.publication(seq=seq).text
        return _table(text, self.values_under(text))

    def state_before(self, *, line: LineRow, seq: int | None = None) -> RegisterState:
        """Where the register stood when a line (or the line `seq` of its wallet) was posted."""
        before_seq = line.seq if seq is None else seq
        at_us = line.ts_us if seq is None else _FAR_US
        read = reading_before(cursor=self.cursor, line=line, seq=before_seq, at_us=at_us)
        return self.state_after(read=read, seq=before_seq)

    def state_after(self, *, read: LineRow | None, seq: int) -> RegisterState:
        """Where a register stands after its newest reading `read`, and what was rated again before line `seq`."""
        schedule = self.table(seq=seq).schedule
        if read is None:
            row = self.installation
            state = opening_state(
                schedule=schedule,
                at_us=row.opened_us,
                register_wh=row.opening_wh,
                counter_wh=row.opening_counter_wh,
            )
        else:
            window = start_window(table=self.table(seq=seq), at_us=read.ts_us, opening=False)
            state = RegisterState(
                read.ts_us, read.register_wh, read.counter_wh, window, read.carry_nano, read.carry_tax
            )
        again = newest_between(self.reratings, after_seq=read.seq if read else 0, before_seq=seq)
        if again is None:
            return state
        return RegisterState(
            state.at_us,
            again.register_wh,
            again.counter_wh,
            again.window_us,
            again.carry_nano,
            again.carry_tax,
        )

    def explain(self, *, line: LineRow, before: RegisterState) -> Explained:
        """The interval that a line charged, worked out again from the state before it and held against the line."""
        return explain_interval(
            table=self.table(seq=line.seq),
            before=before,
            at_us=line.ts_us,
            register_wh=line.register_wh,
            modulus_wh=self.modulus_wh,
            charged=Charged(
                energy_wh=line.energy_wh,
                energy_micro=line.energy_micro,
                standing_micro=line.standing_micro,
                tax_micro=line.tax_micro,
                counter_wh=line.counter_wh,
                carry_nano=line.carry_nano,
                carry_tax=line.carry_tax,
            ),
        )


def meter_of(ground: Ground, *, seq: int) -> Meter:
    """Where a line was measured and under which tariff text it was charged."""
    row, schedule = ground.installation, ground.table(seq=seq).schedule
    return Meter(
        number=row.meter.number,
        installation=row.pk,
        modulus_wh=ground.modulus_wh,
        plan=row.plan.name,
        publication=ground.publication(seq=seq).id,
        zone=schedule.zone,
        unit=schedule.unit,
        conversion=schedule.conversion,
        transformer=schedule.transformer,
    )


def newest_between(reratings: Sequence[Rerating], *, after_seq: int, before_seq: int) -> Rerating | None:
    """The newest rerating whose last line lies between two others."""
    between = [row for row in reratings if after_seq <= row.last_seq < before_seq]
    return between[-1] if between else None


@lru_cache(maxsize=TARIFF_CACHE)
def _table(text: str, values: tuple[AccountValue, ...]) -> SegmentTable:
    return SegmentTable(schedule=for_account_over_time(parse_schedule(text), values))
