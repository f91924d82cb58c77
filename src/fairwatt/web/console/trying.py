"""Try a tariff: a draft on past use, its faults by line, winners and losers as a drawing, and the paper to attach."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from fairwatt.core.rating.tariff_file import TariffFile, TariffFileError, read_tariff
from fairwatt.core.spans import local_date
from fairwatt.reports.asking import Ask, days_to_span
from fairwatt.reports.backtest import Draft, report_of
from fairwatt.reports.backtest_book import BookTrial
from fairwatt.reports.document import opened
from fairwatt.reports.forms import FORMS
from fairwatt.reports.making import make
from fairwatt.reports.model import Report, ReportError
from fairwatt.store.models import Book, TariffPlan
from fairwatt.web import access
from fairwatt.web.console.frame import frame
from fairwatt.web.console.reports import FORM_NAMES
from fairwatt.web.design import format as text
from fairwatt.web.design.refusals import said
from fairwatt.web.plain import PlainForm
from fairwatt.web.reporting import drawn, send

TEXT_MAX = 400_000
PERIOD_DAYS_MAX = 400
_YEAR = timedelta(days=365)


class TryForm(PlainForm):
    """A draft, the plan it would replace, and the days it is tried on."""

    text = forms.CharField(
        label=_("Draft tariff"),
        required=False,
        max_length=TEXT_MAX,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "class": "code"}),
    )
    file = forms.FileField(label=_("or a file"), required=False, allow_empty_file=True)
    plan = forms.ChoiceField(label=_("Tariff in force"))
    first = forms.DateField(
        label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last = forms.DateField(
        label=_("Last day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    dates = forms.ChoiceField(
        label=_("Prices of the draft"),
        choices=[
            ("auto", _("by their dates; a draft still to come holds all along")),
            ("newest", _("the newest, all along")),
        ],
    )

    def __init__(self, data: Mapping[str, Any] | None, files: Any, *, book: Book, today: date) -> None:
        yesterday = today - timedelta(days=1)
        super().__init__(data, files, initial={"first": today - _YEAR, "last": yesterday, "dates": "auto"})
        plans = TariffPlan.objects.filter(book=book).order_by("slug")
        self.fields["plan"].choices = [(plan.slug, plan.name) for plan in plans]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload = cleaned.get("file")
        if upload is not None:
            if upload.size > TEXT_MAX:
                raise forms.ValidationError(
                    gettext("This file is too large for a tariff. Nothing was tried.")
                )
            try:
                cleaned["text"] = upload.read().decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise forms.ValidationError(
                    gettext(
                        "This is not a text file in UTF-8. Nothing was tried; hand in the tariff file itself."
                    )
                ) from error
        if not self.errors and not (cleaned.get("text") or "").strip():
            raise forms.ValidationError(gettext("Paste a draft tariff or choose its file."))
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and (last - first).days >= PERIOD_DAYS_MAX:
            raise forms.ValidationError(
                gettext("Choose a period of at most 400 days; the command line takes more.")
            )
        return cleaned


@login_required
@require_http_methods(["GET", "POST"])
def try_tariff(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The form, and below it what the draft would have charged; with `form` in the post, the same as a file."""
    book = access.desk_book(user=access.person(request), slug=slug)
    now_us = access.now_us()
    today = local_date(zone=book.zone, at_us=now_us)
    posted = request.method == "POST"
    form = TryForm(
        request.POST if posted else None, request.FILES if posted else None, book=book, today=today
    )
    context: dict[str, Any] = {"form": form, "forms": FORM_NAMES, "today": today}
    status = 200
    if posted:
        try:
            answered = _answer(form, book, now_us, request.POST.get("form", ""))
            if isinstance(answered, HttpResponseBase):
                return answered
            context |= answered
        except ReportError as error:
            context["error"] = said(error)
        status = 200 if "document" in context else 422
    response = render(request, "console/try.html", {**frame(book=book), **context}, status=status)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _answer(form: TryForm, book: Book, now_us: int, file_form: str) -> dict[str, Any] | HttpResponseBase:
    if not form.is_valid():
        return {}
    asked = form.cleaned_data
    try:
        made = read_tariff(asked["text"])
    except TariffFileError as error:
        return {"faults": error.all, "text": asked["text"]}
    report, ask = _report(made, asked), _ask(asked, book, now_us)
    if file_form in FORMS:
        return send(made=make(report=report, ask=ask, form=file_form))
    with opened(report=report, ask=ask) as document:
        bars = next(list(table.rows) for table in document.tables if table.name == "bars")
        shown = drawn(document)
    return {
        "report": report,
        "document": shown,
        "chart": _chart(bars, book.currency),
        "text": asked["text"],
        "asked": asked,
    }


def _report(made: TariffFile, asked: dict[str, Any]) -> Report:
    draft = Draft.of(name=made.name, text=asked["text"], schedule=made.schedule)
    return report_of(build=BookTrial(draft=draft, plan=asked["plan"], dates=asked["dates"]))


def _ask(asked: dict[str, Any], book: Book, now_us: int) -> Ask:
    start_us, end_us = days_to_span(zone=book.zone, first=asked["first"], last=asked["last"])
    return Ask(book=book.pk, start_us=start_us, end_us=end_us, now_us=now_us)


def _chart(bars: list[Any], currency: str) -> dict[str, Any]:
    return {
        "kind": "spread",
        "bars": [[int(low), int(high), int(homes)] for low, high, homes in bars],
        "names": [gettext("pay less"), gettext("the same"), gettext("pay more")],
        "axis": gettext("Homes"),
        "symbol": text.symbol(currency=currency),
        "summary": gettext("How many homes would pay less and how many more; the tables below say the same."),
    }
