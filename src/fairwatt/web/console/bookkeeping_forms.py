"""The forms of bookkeeping: a supplier's bill, a statement of the trust account."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from fairwatt.core.spans import local_date
from fairwatt.flows.keep_books import Bill
from fairwatt.reports.asking import days_to_span
from fairwatt.store.models import Book, Site, SupplierBill, TrustStatement
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.exact import ExactField, as_typed
from fairwatt.web.plain import PlainForm


def _day(label: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))


def _named_by(form: PlainForm, rows: QuerySet[Any], book: Book) -> Any:
    """The row that a form's `replaces` names, if it is one of these."""
    said = str(form["replaces"].value() or "")
    if not (said.isascii() and said.isdecimal() and len(said) < 18):
        return None
    with seeing(scope=scope_of_book(book=book)):
        return rows.filter(pk=int(said)).first()


class BillForm(PlainForm):
    """A supplier's bill, in the words and units that are printed on it."""

    supplier = forms.CharField(label=_("Supplier"), max_length=120)
    number = forms.CharField(label=_("Number of the bill"), max_length=60)
    site = forms.ModelChoiceField(
        label=_("Building"), queryset=Site.objects.none(), required=False, empty_label=_("all buildings")
    )
    first = _day(_("First day"))
    last = _day(_("Last day"))
    energy = ExactField(label=_("Energy, kWh"), places=3)
    net = ExactField(label=_("Amount without tax"), places=6, signed=True)
    tax = ExactField(label=_("Tax"), places=6, signed=True)
    cap = ExactField(label=_("Legal cap for reselling, per kWh"), places=6, required=False)
    cap_with_tax = forms.BooleanField(label=_("The cap includes tax"), required=False, initial=True)
    cap_basis = forms.CharField(label=_("Where the cap is written"), max_length=200, required=False)
    replaces = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, book: Book, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "bill_%s", **kwargs})
        self._book = book
        sites: Any = self.fields["site"]
        sites.queryset = Site.objects.filter(book=book).order_by("name")

    @property
    def replaced(self) -> str:
        """The bill that this one replaces, in words; nothing where it is a new one."""
        row = _named_by(self, SupplierBill.objects.filter(book=self._book), self._book)
        return f"{row.supplier} {row.number}" if row else ""

    @staticmethod
    def as_entered(*, row: SupplierBill, zone: str) -> dict[str, Any]:
        """A bill as it was typed, to be entered again."""
        return {
            "supplier": row.supplier,
            "number": row.number,
            "site": row.site_id,
            "first": local_date(zone=zone, at_us=row.start_us),
            "last": local_date(zone=zone, at_us=row.end_us - 1),
            "energy": as_typed(scaled=row.energy_wh, places=3),
            "net": as_typed(scaled=row.net_micro, places=6),
            "tax": as_typed(scaled=row.tax_micro, places=6),
            "cap": "" if row.cap_micro_per_kwh is None else as_typed(scaled=row.cap_micro_per_kwh, places=6),
            "cap_with_tax": row.cap_with_tax,
            "cap_basis": row.cap_basis,
            "replaces": row.pk,
        }

    def bill(self) -> Bill:
        """What was entered, once it is valid."""
        said = self.cleaned_data
        start_us, end_us = days_to_span(zone=self._book.zone, first=said["first"], last=said["last"])
        return Bill(
            supplier=said["supplier"],
            number=said["number"],
            start_us=start_us,
            end_us=end_us,
            energy_wh=said["energy"],
            net_micro=said["net"],
            tax_micro=said["tax"],
            site_id=said["site"].pk if said["site"] else None,
            cap_micro_per_kwh=said["cap"],
            cap_with_tax=said["cap_with_tax"],
            cap_basis=said["cap_basis"],
            replaces_id=said["replaces"],
        )


class TrustForm(PlainForm):
    """What the bank says the trust account held at the end of a day."""

    account = forms.CharField(label=_("Account"), max_length=60)
    day = _day(_("At the end of"))
    balance = ExactField(label=_("Balance"), places=6, signed=True)
    reference = forms.CharField(label=_("Number of the statement"), max_length=120)
    replaces = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, book: Book, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "trust_%s", **kwargs})
        self._book = book

    @property
    def replaced(self) -> str:
        """The statement that this one replaces, in words; nothing where it is a new one."""
        row = _named_by(self, TrustStatement.objects.filter(book=self._book), self._book)
        return f"{row.account} {row.reference}" if row else ""

    @staticmethod
    def as_entered(*, row: TrustStatement, zone: str) -> dict[str, Any]:
        """A statement as it was typed, to be entered again."""
        return {
            "account": row.account,
            "day": local_date(zone=zone, at_us=row.at_us),
            "balance": as_typed(scaled=row.balance_micro, places=6),
            "reference": row.reference,
            "replaces": row.pk,
        }

    def at_us(self, *, zone: str) -> int:
        """The last instant of the day that was entered."""
        said: date = self.cleaned_data["day"]
        return days_to_span(zone=zone, first=said, last=said)[1] - 1
