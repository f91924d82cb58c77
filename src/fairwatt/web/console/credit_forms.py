"""What the desk types about credit control; `new()` is what the flow takes. Amounts become whole micro-units here."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_lazy as _

from fairwatt.core.spans import from_datetime, zone_info
from fairwatt.core.units import MICRO
from fairwatt.store.credit_rules import NewRule
from fairwatt.store.models import Book, Installation, Site, Wallet
from fairwatt.web.design import credit_words as words
from fairwatt.web.plain import PlainForm

_AT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
EXAMPLE = """fairwatt_credit: 1
warn: {below: "20", days: 3, critical: "5", lead_minutes: 60}
friendly: {hours: ["18:00-08:00"], weekends: true}
holidays: [10-01..10-07, 12-25]
"""


class RuleForm(PlainForm):
    """A rule of one kind, for the book, a building or a home; the kind decides which fields there are."""

    site = forms.ModelChoiceField(
        label=_("Building"), queryset=Site.objects.none(), required=False, empty_label=_("every building")
    )
    wallet = forms.ModelChoiceField(
        label=_("Unit"), queryset=Wallet.objects.none(), required=False, empty_label=_("every home")
    )
    body = forms.CharField(
        label=_("Document"),
        help_text=_(
            "This is an example, not what holds now: that is said above. What a document leaves out stays as it is."
        ),
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        max_length=20_000,
    )
    law = forms.CharField(
        label=_("The law it is written in (then it is a floor)"), max_length=400, required=False
    )
    reason = forms.ChoiceField(label=_("Who lives there"), choices=())
    weather = forms.ChoiceField(label=_("Weather"), choices=())
    source = forms.CharField(label=_("Evidence, or who says so"), max_length=400, required=False)
    amount = forms.DecimalField(
        label=_("Amount owed"), max_digits=12, decimal_places=2, min_value=Decimal("0.01")
    )
    share = forms.DecimalField(
        label=_("Share of each top-up in percent"), max_digits=5, decimal_places=2, required=False,
        min_value=Decimal(0), max_value=Decimal(100),
    )  # fmt: skip
    cap = forms.DecimalField(label=_("At most a week"), max_digits=12, decimal_places=2, required=False)
    daily = forms.DecimalField(label=_("A day"), max_digits=12, decimal_places=2, required=False)
    weekly = forms.DecimalField(
        label=_("A week, on Mondays"), max_digits=12, decimal_places=2, required=False
    )
    starts = forms.DateTimeField(label=_("From"), widget=_AT, required=False)
    until = forms.DateTimeField(label=_("Until"), widget=_AT)
    words = forms.CharField(label=_("Why"), max_length=400)

    FIELDS = {
        "terms": ("site", "wallet", "body", "law", "starts", "words"),
        "protection": ("wallet", "reason", "until", "source", "words"),
        "force_on": ("wallet", "until", "words"),
        "weather": ("weather", "site", "starts", "until", "source", "words"),
        "debt": ("wallet", "amount", "share", "cap", "daily", "weekly", "words"),
        "debt_pause": ("wallet", "until", "words"),
    }

    def __init__(self, *args: Any, book: Book, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._book, self.kind = book, kind
        kept = {name: self.fields[name] for name in self.FIELDS[kind]}
        self.fields.clear()
        self.fields.update(kept)
        for name, queryset in (
            ("site", Site.objects.filter(book=book).order_by("name")),
            ("wallet", _open_accounts(book)),
        ):
            if name in self.fields:
                field = self.fields[name]
                assert isinstance(field, forms.ModelChoiceField)
                field.queryset = queryset
                if name == "wallet" and kind != "terms":
                    field.required, field.empty_label = True, None
        for name, choices in (("reason", words.PROTECTIONS), ("weather", words.WEATHER)):
            if name in self.fields:
                self.fields[name].choices = list(choices.items())  # type: ignore[attr-defined]

    def new(self, *, author: int, now_us: int) -> NewRule:
        """The rule as typed; call it on a valid form."""
        said = self.cleaned_data
        site, wallet, law = said.get("site"), said.get("wallet"), said.get("law", "").strip()
        return NewRule(
            book=self._book.pk,
            kind=self.kind,
            site=site.pk if site and not wallet else None,
            wallet=wallet.pk if wallet else None,
            from_us=self._instant(said.get("starts")) or now_us,
            until_us=self._instant(said.get("until")),
            body=said.get("body", "").replace("\r\n", "\n"),
            basis="law" if law else "house",
            source=law or said.get("source", "").strip(),
            details=self._details(said),
            words=said["words"].strip(),
            author=author,
        )

    def _details(self, said: dict[str, Any]) -> dict[str, Any]:
        match self.kind:
            case "protection":
                return {"reason": said["reason"]}
            case "weather":
                return {"kind": said["weather"]}
            case "debt":
                return {
                    "origin": "balance",
                    "amount_micro": _micro(said["amount"]),
                    "daily_micro": _micro(said["daily"]),
                    "weekly_micro": _micro(said["weekly"]),
                    "share_bp": int((said["share"] or 0) * 100),
                    "week_cap_micro": None if said["cap"] is None else _micro(said["cap"]),
                }
            case _:
                return {}

    def _instant(self, at: datetime | None) -> int | None:
        """What was typed is local to the book, whatever zone the server lives in."""
        return None if at is None else from_datetime(at.replace(tzinfo=zone_info(self._book.zone)))


def _open_accounts(book: Book) -> QuerySet[Wallet]:
    """The accounts that have a meter: who moved out has none, and nothing is decided about that home's power."""
    at_work = Installation.objects.filter(wallet=OuterRef("pk"), closed_us__isnull=True)
    return Wallet.objects.filter(Exists(at_work), book=book).select_related("unit").order_by("unit__label")


def _micro(amount: Decimal | None) -> int:
    return int((amount or 0) * MICRO)
