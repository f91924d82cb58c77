"""What the desk types about fees and shared costs. Amounts are decimal text and become whole micro-units here."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.costs.apportion import ApportionError, Basis, Formula, Part
from fairwatt.core.costs.calendar import Calendar, Every
from fairwatt.core.units import MICRO
from fairwatt.flows.cost_sources import Losses, Metered, Source, Typed
from fairwatt.store.models import Book, Fee, Installation, Site, Unit
from fairwatt.web.design import words
from fairwatt.web.plain import PlainForm

_DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
_NUMBER: Final = {"inputmode": "decimal", "autocomplete": "off"}


def micro_of(amount: Decimal) -> int:
    """A typed amount with at most six decimals, in micro-units."""
    return int(amount * MICRO)


def _bp(percent: Decimal) -> int:
    return int(percent * 100)


def money_field(label: Any, **wishes: Any) -> forms.DecimalField:
    """A field for an amount above zero."""
    return forms.DecimalField(
        label=label,
        max_digits=16,
        decimal_places=wishes.pop("places", 2),
        min_value=Decimal(0),
        widget=forms.TextInput(attrs=_NUMBER),
        **wishes,
    )


def _percent(label: Any, **wishes: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        max_digits=5,
        decimal_places=2,
        min_value=Decimal(0),
        max_value=Decimal(100),
        required=False,
        widget=forms.TextInput(attrs=_NUMBER),
        **wishes,
    )


class FeeForm(PlainForm):
    """A new fee; `wishes()` is what the flow takes."""

    name = forms.CharField(label=_("Name"), max_length=80)
    category = forms.ChoiceField(label=_("Kind"), choices=())
    amount = money_field(_("Amount before tax"), places=4)
    basis = forms.ChoiceField(
        label=_("Counted"),
        choices=[("unit", _("for each unit")), ("area", _("for each square metre"))],
    )
    unit = forms.ModelChoiceField(
        label=_("For"), queryset=Unit.objects.none(), required=False, empty_label=_("every unit")
    )
    tax = _percent(_("Tax in percent"))
    every = forms.ChoiceField(label=_("How often"), choices=())
    day = forms.IntegerField(label=_("Day of the month"), min_value=1, max_value=31, initial=1)
    month = forms.IntegerField(
        label=_("First month of a quarter or year"), min_value=1, max_value=12, initial=1
    )
    advance = forms.ChoiceField(
        label=_("Due"),
        choices=[("", _("when the period is over")), ("1", _("when the period begins"))],
        required=False,
    )
    priority = forms.IntegerField(label=_("Priority, 0 is first"), min_value=0, max_value=99, initial=50)
    first_day = forms.DateField(label=_("From"), widget=_DAY)
    end_day = forms.DateField(label=_("Until, not included"), widget=_DAY, required=False)

    def __init__(self, *, book: Book, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.fields["category"].choices = [(c, words.fee_category(c)) for c in Fee.Category.values]  # type: ignore[attr-defined]
        self.fields["every"].choices = [(str(e), words.every(str(e))) for e in Every]  # type: ignore[attr-defined]
        self.fields["unit"].queryset = Unit.objects.filter(site__book=book).order_by("label")  # type: ignore[attr-defined]

    def wishes(self) -> dict[str, Any]:
        """The fee as the flow takes it."""
        typed = self.cleaned_data
        return {
            "name": typed["name"],
            "category": typed["category"],
            "basis": typed["basis"],
            "amount_micro": micro_of(typed["amount"]),
            "calendar": Calendar(
                Every(typed["every"]), day=typed["day"], month=typed["month"], advance=bool(typed["advance"])
            ),
            "first_day": typed["first_day"],
            "end_day": typed["end_day"],
            "tax_bp": _bp(typed["tax"] or Decimal(0)),
            "priority": typed["priority"],
            "unit_id": typed["unit"].pk if typed["unit"] else None,
        }


class EndFeeForm(PlainForm):
    """From which day on a fee is owed no more."""

    end_day = forms.DateField(label=_("Owed no more from"), widget=_DAY)


class ReasonForm(PlainForm):
    """Why something is taken back."""

    reason = forms.CharField(label=_("Reason"), max_length=500)


class DecisionForm(PlainForm):
    """A decision on an objection: the share stands, or it is lowered to an amount."""

    outcome = forms.ChoiceField(choices=[("reject", "reject"), ("uphold", "uphold")])
    amount = money_field(_("New share"), required=False)
    reason = forms.CharField(label=_("Reason"), max_length=500)

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if typed.get("outcome") == "uphold" and typed.get("amount") is None and "amount" not in self.errors:
            self.add_error("amount", gettext("Write the new share; 0 is nothing. Nothing was decided."))
        return typed

    def amount_micro(self) -> int | None:
        """The new share of an upheld objection, None for a rejected one."""
        if self.cleaned_data["outcome"] == "reject":
            return None
        return micro_of(self.cleaned_data["amount"])


class CostForm(PlainForm):
    """A new shared cost with its formula."""

    title = forms.CharField(label=_("Title"), max_length=80)
    site = forms.ModelChoiceField(label=_("Building"), queryset=Site.objects.none(), empty_label=None)
    first_day = forms.DateField(label=_("First day"), widget=_DAY)
    last_day = forms.DateField(label=_("Last day"), widget=_DAY)
    source = forms.ChoiceField(
        label=_("What is shared"),
        choices=[
            ("typed", _("an amount with evidence")),
            ("meter", _("what a common meter was charged")),
            ("losses", _("losses behind a bulk meter")),
        ],
    )
    amount = money_field(_("Amount"), required=False)
    meter = forms.ModelChoiceField(
        label=_("Meter of"), queryset=Unit.objects.none(), required=False, empty_label=_("choose")
    )
    price = money_field(_("Price of a lost kWh"), required=False, places=6)
    evidence = forms.CharField(label=_("Evidence, such as an invoice number"), max_length=200, required=False)
    area = _percent(_("floor area"), initial=100)
    heads = _percent(_("people"))
    days = _percent(_("days lived in"))
    own_use = _percent(_("own use"))
    equal = _percent(_("equal shares"))
    prorata = forms.BooleanField(label=_("Count stays by their days"), required=False, initial=True)
    vacant = forms.ChoiceField(
        label=_("Days without a resident are carried"),
        choices=[("landlord", _("by the landlord")), ("residents", _("by the residents together"))],
    )
    objection_days = forms.IntegerField(label=_("Days for objections"), min_value=1, max_value=90, initial=14)

    def __init__(self, *, book: Book, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.fields["site"].queryset = Site.objects.filter(book=book).order_by("id")  # type: ignore[attr-defined]
        metered = Installation.objects.filter(unit__site__book=book).values("unit")
        units = Unit.objects.filter(id__in=metered).order_by("label")
        self.fields["meter"].queryset = units  # type: ignore[attr-defined]

    @property
    def weights(self) -> list[forms.BoundField]:
        """The five percentages, shown together."""
        return [self[str(basis)] for basis in Basis]

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        needed = {"typed": ("amount", "evidence"), "meter": ("meter",), "losses": ("meter", "price")}
        for name in needed.get(typed.get("source", ""), ()):
            if not typed.get(name) and name not in self.errors:
                self.add_error(name, gettext("This is needed for what is shared. Nothing was written."))
        parts = tuple(Part(basis, _bp(typed[str(basis)])) for basis in Basis if typed.get(str(basis)))
        try:
            typed["formula"] = Formula(
                name=str(typed.get("title") or "-"),
                parts=parts,
                prorata=bool(typed.get("prorata")),
                vacant_pays=typed.get("vacant") != "residents",
            )
        except ApportionError:
            self.add_error(
                None, gettext("The percentages of the formula must make 100. Nothing was written.")
            )
        return typed

    def wishes(self) -> dict[str, Any]:
        """The draft as the flow takes it, without its formula."""
        typed = self.cleaned_data
        return {
            "site_id": typed["site"].pk,
            "title": typed["title"],
            "first_day": typed["first_day"],
            "end_day": typed["last_day"] + timedelta(days=1),
            "source": self._source(),
            "objection_days": typed["objection_days"],
        }

    def _source(self) -> Source:
        typed = self.cleaned_data
        match typed["source"]:
            case "meter":
                return Metered(unit=typed["meter"].pk)
            case "losses":
                price = micro_of(typed["price"])
                return Losses(bulk_unit=typed["meter"].pk, micro_per_kwh=price, evidence=typed["evidence"])
            case _:
                return Typed(amount_micro=micro_of(typed["amount"]), evidence=typed["evidence"])
