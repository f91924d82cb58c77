"""The books of the demo's office: who sits there, what its book shows, and the papers of a month's end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from fairwatt.core.spans import date_start, local_date, to_datetime
from fairwatt.core.units import US_PER_HOUR

if TYPE_CHECKING:
    from fairwatt.store.models import Site, Unit, User

SELLER: Final = {
    "name": "Maple Court Management",
    "tax_number": "GB123456789",
    "street": "4 Maple Court",
    "city": "London",
    "postcode": "E1 4XX",
    "country": "GB",
    "contact": "office@maple.example",
}
"""Who sells on the street; made up, and its tax number has only the right shape."""
_FLOAT_MICRO: Final = 250_000_000
"""What the owner leaves on the trust account above the residents' money."""
_PENNY_MICRO: Final = 10_000
_LOSS_BP: Final = 260
"""What the supplier's meter counts above the homes' own: cables, and the meters themselves."""
_BOUGHT_MICRO_PER_KWH: Final = 198_500
_SUPPLY_TAX_BP: Final = 500
_CAP_MICRO_PER_KWH: Final = 340_000


class Books:
    """The desk of one book: a supplier's bill, a bank statement, a closed month."""

    def __init__(self, *, book: int, opened_us: int) -> None:
        from fairwatt.store.models import Site

        self._site: Site = Site.objects.select_related("book").get(book_id=book)
        self._book = self._site.book
        self._opened_us = opened_us
        self._first = local_date(zone=self._book.zone, at_us=opened_us)

    def _enter_bill(self, now_us: int) -> None:
        """The supplier bills what its own meter counted in the first month, at prices made up for the demo."""
        from django.db.models import Sum

        from fairwatt.core.ledger.model import Kind
        from fairwatt.flows.keep_books import Bill, enter_bill
        from fairwatt.store.models import Line, SupplierBill

        number = f"{self._first:%Y-%m}-4471"
        start_us, end_us = self._first_month()
        with self._seeing():
            if SupplierBill.objects.filter(book=self._book, number=number).exists():
                return
            charged = Line.objects.filter(
                book=self._book.pk,
                kind__in=(Kind.READING, Kind.LATE, Kind.CORRECTION),
                ts__gt=to_datetime(start_us),
                ts__lte=to_datetime(end_us),
            )
            sold_wh = charged.aggregate(wh=Sum("energy_wh"))["wh"] or 0
        bought_wh = sold_wh * 10_000 // (10_000 - _LOSS_BP)
        net_micro = bought_wh * _BOUGHT_MICRO_PER_KWH // 1_000 // _PENNY_MICRO * _PENNY_MICRO
        enter_bill(
            book_id=self._book.pk,
            bill=Bill(
                supplier="Thames Valley Power (made up)",
                number=number,
                start_us=start_us,
                end_us=end_us,
                energy_wh=bought_wh,
                net_micro=net_micro,
                tax_micro=net_micro * _SUPPLY_TAX_BP // 10_000 // _PENNY_MICRO * _PENNY_MICRO,
                site_id=self._site.pk,
                cap_micro_per_kwh=_CAP_MICRO_PER_KWH,
                cap_with_tax=True,
                cap_basis="Maximum resale price, made up for the demo",
            ),
            user_id=self._person("desk").pk,
            now_us=now_us,
        )

    def _enter_statement(self, now_us: int) -> None:
        """What the bank says the trust account held when the first month was over."""
        from fairwatt.flows.keep_books import enter_trust_statement
        from fairwatt.reports.asking import Ask
        from fairwatt.reports.making import make, report_named
        from fairwatt.store.models import TrustStatement

        start_us, end_us = self._first_month()
        with self._seeing():
            if TrustStatement.objects.filter(book=self._book, at_us=end_us - 1).exists():
                return
        ask = Ask(book=self._book.pk, start_us=start_us, end_us=end_us, now_us=now_us)
        made = make(report=report_named(name="liability"), ask=ask, form="csv")
        made.file.close()
        whole_pence_micro = made.figures["unspent"] // _PENNY_MICRO * _PENNY_MICRO
        enter_trust_statement(
            book_id=self._book.pk,
            account="Residents' money, Maple Court",
            at_us=end_us - 1,
            balance_micro=whole_pence_micro + _FLOAT_MICRO,
            reference=f"Statement {self._first:%Y-%m}",
            user_id=self._person("desk").pk,
            now_us=now_us,
        )

    def _close(self, now_us: int, month: str) -> None:
        from fairwatt.flows.keep_books import close_month
        from fairwatt.reports.making import pack_of_month
        from fairwatt.store.models import PeriodClose

        with self._seeing():
            if PeriodClose.objects.filter(book=self._book).exists():
                return
        pack = pack_of_month(book=self._book, month=month, now_us=now_us)
        close_month(
            book_id=self._book.pk,
            month=month,
            first_batch=pack.first_batch,
            last_batch=pack.last_batch,
            as_of_batch=pack.as_of_batch,
            digest=pack.digest,
            user_id=self._person("manager").pk,
            now_us=now_us,
        )

    def _invoice(self, now_us: int, month: str) -> None:
        from fairwatt.flows.invoicing.issuing import CannotInvoice
        from fairwatt.flows.invoicing.months import ask_month, work_runs

        with suppress(CannotInvoice):  # nothing is left to be invoiced: this was done before
            ask_month(book_id=self._book.pk, month=month, user_id=self._person("desk").pk, now_us=now_us)
        work_runs(now_us=now_us, book_id=self._book.pk)

    # --- small things -----------------------------------------------------------------------------------

    def _first_month(self) -> tuple[int, int]:
        """From the midnight before the book opened to the end of that month."""
        over = (self._first.replace(day=28) + timedelta(days=4)).replace(day=1)
        return self._at(self._first, 0), self._at(over, 0)

    def _at(self, day: date, hour: int) -> int:
        return date_start(zone=self._book.zone, day=day) + hour * US_PER_HOUR

    def _home(self, n: int) -> Unit:
        """The n-th home with somebody in it, counted on from the first door."""
        homes = list(self._site.unit_set.filter(wallet__isnull=False).order_by("label").distinct())
        return homes[n % len(homes)]

    def _person(self, role: str) -> User:
        """Who does it: the front desk or the manager."""
        from fairwatt.store.models import Role, User

        wanted = Role.ADMIN if role == "manager" else Role.OPERATOR
        return User.objects.filter(organisation=self._book.organisation, role=wanted).order_by("pk")[0]

    def _resident(self, wallet: int) -> User:
        from fairwatt.store.models import Tenancy

        return Tenancy.objects.select_related("user").filter(wallet_id=wallet).order_by("pk")[0].user

    @contextmanager
    def _seeing(self) -> Iterator[None]:
        """See the rows of this book, as its desk does."""
        from django.db import connection, transaction

        from fairwatt.store import facts

        with transaction.atomic():
            with connection.cursor() as cursor:
                facts.see_book(cursor=cursor, book=self._book.pk)
            yield
