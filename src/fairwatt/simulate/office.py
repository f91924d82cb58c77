"""The office of the demo's street: fees, a lift that is shared, papers of meters, a doubt, the books of a month.

Every deed is one that a person does at the desk or at home, through the flow behind that page; the poster of the
street charges what comes of it. A deed looks first whether the book holds it, so a street that starts again, or was
killed in between, does nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from fairwatt.core.spans import to_datetime
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR
from fairwatt.simulate.office_books import Books

if TYPE_CHECKING:
    from fairwatt.store.models import Line, Unit

PARKING: Final = (7, 15)
DOUBTS: Final = 10
OBJECTS: Final = 1
TESTED: Final = 16
OLD_METER: Final = 6
"""Homes by their place in the order of doors, counted on where a street is shorter."""
OBJECTION_DAYS: Final = 10
_FIRST_OBJECTION_DAYS: Final = 4
_LIFT_MICRO: Final = 62_400_000
_TEST_WH: Final = 20_000
_TESTED_MORE_WH: Final = 60


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing somebody does: when the clock of the street is past it, and how."""

    after_us: int
    do: Callable[[int], None]


class Office(Books):
    """What is done at the desk of one book, from the day it opened on."""

    def __init__(self, *, book: int, opened_us: int) -> None:
        super().__init__(book=book, opened_us=opened_us)
        self._deeds = self._plan()
        self._next = 0

    def waits(self, *, now_us: int) -> bool:
        """Say whether somebody has something to do by now."""
        return self._next < len(self._deeds) and self._deeds[self._next].after_us <= now_us

    def catch_up(self, *, now_us: int) -> None:
        """Do what was due by now and is not in the book yet."""
        while self.waits(now_us=now_us):
            self._deeds[self._next].do(now_us)
            self._next += 1

    def _plan(self) -> list[Deed]:
        month = (self._first.replace(day=28) + timedelta(days=4)).replace(day=1)
        week = self._first + timedelta(days=7)
        return [
            Deed(self._at(self._first, 9), self._measure_units),
            Deed(self._at(self._first, 10), self._write_fees),
            Deed(self._at(self._first, 11), self._file_certificates),
            Deed(self._at(week, 9), lambda now_us: self._share_lift(now_us, week, _FIRST_OBJECTION_DAYS)),
            Deed(self._at(week, 15), self._test_a_meter),
            Deed(self._at(month, 9), self._enter_bill),
            Deed(self._at(month, 9), self._enter_statement),
            Deed(
                self._at(month, 10),
                lambda now_us: self._share_lift(now_us, week + timedelta(days=7), OBJECTION_DAYS),
            ),
            Deed(self._at(month, 11), lambda now_us: self._object(now_us, week + timedelta(days=7))),
            Deed(self._at(month, 11), self._doubt),
            Deed(self._at(month, 12), self._look_at_days),
            Deed(self._at(month, 12), lambda now_us: self._close(now_us, self._first.strftime("%Y-%m"))),
            Deed(self._at(month, 12), lambda now_us: self._invoice(now_us, self._first.strftime("%Y-%m"))),
        ]

    # --- what homes count by, and what they owe ---------------------------------------------------------

    def _measure_units(self, now_us: int) -> None:
        from fairwatt.flows.fees import measure_unit
        from fairwatt.store.models import Unit, UnitMeasure

        known = set(UnitMeasure.objects.filter(unit__site=self._site).values_list("unit_id", flat=True))
        for n, unit in enumerate(Unit.objects.filter(site=self._site).order_by("label")):
            if unit.pk not in known:
                measure_unit(
                    unit_id=unit.pk,
                    from_us=self._opened_us,
                    area_dm2=4_200 + n * 1_370 % 5_600,
                    heads=0 if unit.vacant else 1 + n * 7 % 4,
                    by=self._person("desk"),
                    now_us=now_us,
                )

    def _write_fees(self, now_us: int) -> None:
        self._write_fee("Property fee", "property", "area", 110_000, None, now_us)
        for n in PARKING:
            unit = self._home(n)
            self._write_fee(f"Parking bay of {unit.label}", "parking", "unit", 12_000_000, unit, now_us)

    def _write_fee(
        self, name: str, category: str, basis: str, amount_micro: int, unit: Unit | None, now_us: int
    ) -> None:
        from fairwatt.core.costs.calendar import Calendar, Every
        from fairwatt.flows.fees import add_fee
        from fairwatt.store.models import Fee

        if Fee.objects.filter(book=self._book, name=name).exists():
            return
        add_fee(
            book_id=self._book.pk,
            name=name,
            category=category,
            basis=basis,
            amount_micro=amount_micro,
            calendar=Calendar(Every.MONTH, advance=unit is not None),
            first_day=self._first,
            end_day=None,
            tax_bp=0 if unit is None else 2_000,
            priority=50 if unit is None else 60,
            unit_id=unit.pk if unit else None,
            by=self._person("manager"),
            now_us=now_us,
        )

    # --- the lift ---------------------------------------------------------------------------------------

    def _share_lift(self, now_us: int, end: date, objection_days: int) -> None:
        """Share a week's lift and corridor: a part by area, a part by people; an empty home's share is the owner's."""
        from fairwatt.core.costs.apportion import Basis, Formula, Part
        from fairwatt.flows.cost_sources import Typed
        from fairwatt.flows.shared_costs import draft_allocation, preview, publish, publish_formula
        from fairwatt.store.models import Allocation, AllocationProof

        by, title = self._person("desk"), self._lift_title(end)
        draft = Allocation.objects.filter(book=self._book, title=title).first()
        if draft is None:
            parts = (Part(Basis.AREA, 6_000), Part(Basis.HEADS, 4_000))
            formula = publish_formula(
                book_id=self._book.pk, formula=Formula("Lift and corridor", parts), by=by, now_us=now_us
            )
            draft = draft_allocation(
                book_id=self._book.pk,
                site_id=self._site.pk,
                formula_id=formula.pk,
                title=title,
                first_day=end - timedelta(days=7),
                end_day=end,
                source=Typed(amount_micro=_LIFT_MICRO, evidence=f"Lift Service Ltd, invoice {end:%Y%m%d}-7"),
                objection_days=objection_days,
                by=by,
                now_us=now_us,
                entropy=sha256(title.encode()).digest()[:16],
            )
        if not AllocationProof.objects.filter(allocation=draft).exists():
            seen = preview(allocation=draft).proof()["digest"]
            publish(book_id=self._book.pk, allocation_id=draft.pk, seen_digest=seen, by=by, now_us=now_us)

    def _object(self, now_us: int, end: date) -> None:
        """A resident finds a share too high: it waits for the manager, the others' do not."""
        from fairwatt.flows.shared_costs import object_to_share
        from fairwatt.store.models import AllocationShare, CostStep

        with self._seeing():
            share = AllocationShare.objects.filter(
                book=self._book.pk,
                allocation__title=self._lift_title(end),
                unit=self._home(OBJECTS).pk,
                wallet__isnull=False,
            ).first()
            known = share is None or CostStep.objects.filter(book=self._book.pk, share=share.pk).exists()
        if share is None or share.wallet is None or known:
            return
        object_to_share(
            book_id=self._book.pk,
            share_id=share.pk,
            wallet_id=share.wallet,
            reason="Only two of us live here since January; the share counts one person too many.",
            by=self._resident(share.wallet),
            now_us=now_us,
        )

    def _lift_title(self, end: date) -> str:
        first, last = end - timedelta(days=7), end - timedelta(days=1)
        return f"Lift and corridor, {first.day} {first:%b} to {last.day} {last:%b %Y}"

    # --- meters -----------------------------------------------------------------------------------------

    def _file_certificates(self, now_us: int) -> None:
        """Every meter has its paper; one of them runs out in six weeks."""
        from fairwatt.flows.meter_quality import CertificateSpec, record_certificate
        from fairwatt.store.models import Installation, MeterCertificate

        with self._seeing():
            known = set(MeterCertificate.objects.filter(book=self._book.pk).values_list("meter", flat=True))
        for one in Installation.objects.filter(unit__site=self._site).select_related("unit", "meter"):
            if one.meter_id in known:
                continue
            old = one.unit_id == self._home(OLD_METER).pk
            issued = date(self._first.year - (8 if old else 2), 5 if old else 6, 3)
            record_certificate(
                book_id=self._book.pk,
                meter_id=one.meter_id,
                certificate=CertificateSpec(
                    accuracy_class="B",
                    number=f"MID-{one.meter.number % 1_000_000:06d}/{issued:%y}",
                    authority="Verification Office No. 12",
                    issued_on=issued,
                    expires_on=issued.replace(year=issued.year + 8),
                ),
                user_id=self._person("desk").pk,
                now_us=now_us,
            )

    def _test_a_meter(self, now_us: int) -> None:
        """A resident doubted a meter; a reference ran beside it for 20 kWh, and it passed."""
        from fairwatt.flows.meter_quality import CheckSpec, record_check
        from fairwatt.store.models import Installation, MeterCheck

        one = Installation.objects.filter(unit=self._home(TESTED)).first()
        with self._seeing():
            tested = MeterCheck.objects.filter(book=self._book.pk).exists()
        if one is None or tested:
            return
        record_check(
            book_id=self._book.pk,
            meter_id=one.meter_id,
            check=CheckSpec(
                tested_us=now_us - US_PER_HOUR,
                reference="Reference meter R-07, class 0.2S",
                reference_from_wh=0,
                reference_to_wh=_TEST_WH,
                reference_step_wh=1,
                tested_from_wh=one.opening_wh,
                tested_to_wh=one.opening_wh + _TEST_WH + _TESTED_MORE_WH,
                evidence="Test sheet R-07/031: portable load beside the meter, seals found whole.",
            ),
            user_id=self._person("desk").pk,
            now_us=now_us,
        )

    def _look_at_days(self, now_us: int) -> None:
        """Make checked half hours of what the meters said; the same look again changes nothing."""
        from fairwatt.flows.check_days import check_days
        from fairwatt.store.models import IntervalValue

        with self._seeing():
            if IntervalValue.objects.filter(book=self._book.pk).exists():
                return
        check_days(book_id=self._book.pk, user_id=self._person("desk").pk, now_us=now_us)

    # --- a doubt ----------------------------------------------------------------------------------------

    def _doubt(self, now_us: int) -> None:
        """A resident doubts the dearest half hour of the last three days, and the desk asks back."""
        from fairwatt.flows.dispute import add_to_dispute, open_dispute
        from fairwatt.store.models import Dispute, DisputeEntry

        with self._seeing():
            case = Dispute.objects.filter(book=self._book, wallet__unit=self._home(DOUBTS)).first()
            said = case is not None and DisputeEntry.objects.filter(dispute=case).exists()
            line = self._dearest(now_us)
        if case is None and line is not None:
            case = open_dispute(
                wallet_id=line.wallet,
                line_seq=line.seq,
                reason="reading",
                words="Nobody was at home then, and only the fridge was on.",
                user_id=self._resident(line.wallet).pk,
                now_us=now_us,
                entropy=sha256(f"doubt of {line.wallet}".encode()).digest()[:10],
            )
        if case is not None and not said:
            add_to_dispute(
                dispute_id=case.pk,
                book_id=self._book.pk,
                words="Thank you. Was the immersion heater on its timer? We are looking at the readings around it.",
                evidence=None,
                user_id=self._person("desk").pk,
                now_us=now_us,
            )

    def _dearest(self, now_us: int) -> Line | None:
        from fairwatt.core.ledger.model import Kind
        from fairwatt.store.models import Line, Wallet

        wallets = list(Wallet.objects.filter(unit=self._home(DOUBTS)).values_list("pk", flat=True))
        charges = Line.objects.filter(
            book=self._book.pk, wallet__in=wallets, kind=Kind.READING, amount_micro__lt=0
        )
        return (
            charges.filter(ts__gt=to_datetime(now_us - 3 * US_PER_DAY))
            .order_by("-energy_micro", "ts")
            .first()
        )
