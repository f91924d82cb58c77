"""The desk's pages about data and meters: parse, one flow or query, render."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.spans import local_date
from fairwatt.flows.approve_estimate import approve_estimate, propose_estimate
from fairwatt.flows.check_days import check_days
from fairwatt.flows.desk import DeskRefused, NotAllowed
from fairwatt.flows.edit_interval import edit_interval
from fairwatt.flows.meter_quality import CertificateSpec, CheckSpec, record_certificate, record_check
from fairwatt.store.lets import ORDINARY, spared_circuits
from fairwatt.store.models import Book, Installation, Meter, Role, Site, User
from fairwatt.web import access, metering
from fairwatt.web.console import alarms
from fairwatt.web.console import quality_queries as queries
from fairwatt.web.console.quality_charts import day_chart, day_table
from fairwatt.web.console.quality_forms import CertificateForm, CheckForm, EditForm, EstimateForm
from fairwatt.web.design import let_words, vee_words


@login_required
@require_GET
def data(request: HttpRequest, slug: str) -> HttpResponse:
    """How much of what is known was measured, meter by meter and day by day."""
    book = _book(request, slug)
    page = queries.data_page(book=book, now_us=access.now_us())
    return _page(request, book, "console/data.html", {"data": page})


@login_required
@require_POST
def data_check(request: HttpRequest, slug: str) -> HttpResponse:
    """Look at the last five weeks of every meter's readings."""
    book = _book(request, slug)
    try:
        done = check_days(book_id=book.pk, user_id=access.person(request).pk, now_us=access.now_us())
    except NotAllowed as refusal:
        page = queries.data_page(book=book, now_us=access.now_us())
        return _page(request, book, "console/data.html", {"data": page, "refusal": refusal}, status=403)
    messages.success(
        request,
        ngettext("%(n)d meter was looked at.", "%(n)d meters were looked at.", done.meters)
        % {"n": done.meters},
    )
    return redirect("console:data", slug=book.slug)


@login_required
@require_GET
def data_day(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """One day of one meter: measured against estimated, interval by interval."""
    book = _book(request, slug)
    meter = _meter(book, meter_id)
    asked = request.GET.get("day", "")
    try:
        day = date.fromisoformat(asked) if asked else queries.newest_day(book=book, meter=meter)
    except ValueError:
        day = None
    chosen = day or local_date(zone=book.zone, at_us=access.now_us())
    if not 1971 <= chosen.year <= 2200:
        raise Http404
    return _day(request, book, meter, chosen, editing=request.GET.get("edit", ""))


@login_required
@require_POST
def data_edit(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """Set one interval right."""
    book = _book(request, slug)
    meter = _meter(book, meter_id)
    form = EditForm(request.POST)
    today = local_date(zone=book.zone, at_us=access.now_us())
    if not form.is_valid():
        at_us = form.cleaned_data.get("at_us")
        day = local_date(zone=book.zone, at_us=at_us) if at_us is not None and at_us < 2**53 else today
        return _day(
            request, book, meter, day, editing=str(at_us or ""), form=form, status=_code(request, 422)
        )
    said = form.cleaned_data
    day = local_date(zone=book.zone, at_us=said["at_us"]) if said["at_us"] < 2**52 else today
    try:
        edit_interval(
            book_id=book.pk,
            meter_id=meter.pk,
            at_us=said["at_us"],
            seen_version=said["version"],
            wh=said["energy_wh"],
            reason=said["reason"],
            user_id=access.person(request).pk,
            now_us=access.now_us(),
        )
    except DeskRefused as refusal:
        status = 403 if isinstance(refusal, NotAllowed) else 422
        return _day(
            request, book, meter, day, editing=str(said["at_us"]), form=form, refusal=refusal, status=status
        )
    messages.success(request, gettext("The value was set right. What was there before is kept."))
    return redirect(reverse("console:data_day", args=[book.slug, meter.pk]) + f"?day={day.isoformat()}")


@login_required
@require_GET
def meters(request: HttpRequest, slug: str) -> HttpResponse:
    """Every meter's class, certificate and last test, the next due first."""
    book = _book(request, slug)
    rows = queries.meters_page(book=book, today=local_date(zone=book.zone, at_us=access.now_us()))
    waiting = [row for row in rows if row.due in ("none", "soon", "expired")]
    failed = [row for row in rows if row.check is not None and row.check.verdict == "fail"]
    context = {"rows": rows, "waiting": waiting, "failed": failed, "due_words": vee_words.DUE}
    return _page(request, book, "console/meters.html", context)


@login_required
@require_GET
def meter(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """One meter: certificates, tests, and the forms to record another."""
    book = _book(request, slug)
    return _meter_page(request, book, _meter(book, meter_id))


@login_required
@require_POST
def meter_certificate(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """Record a certificate."""
    book = _book(request, slug)
    found = _meter(book, meter_id)
    form = CertificateForm(request.POST)

    def record() -> None:
        record_certificate(
            book_id=book.pk,
            meter_id=found.pk,
            certificate=CertificateSpec(**form.cleaned_data),
            user_id=access.person(request).pk,
            now_us=access.now_us(),
        )

    return _recorded(
        request, book, found, form, record, gettext("The certificate is recorded."), "certificate_form"
    )


@login_required
@require_POST
def meter_check(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """Record and judge a check-meter test."""
    book = _book(request, slug)
    found = _meter(book, meter_id)
    form = CheckForm(request.POST)

    def record() -> None:
        said = dict(form.cleaned_data)
        del said["tested_at"]
        record_check(
            book_id=book.pk,
            meter_id=found.pk,
            check=CheckSpec(tested_us=form.tested_us(zone=book.zone), **said),
            user_id=access.person(request).pk,
            now_us=access.now_us(),
        )

    return _recorded(
        request, book, found, form, record, gettext("The test is recorded and judged."), "check_form"
    )


@login_required
@require_POST
def meter_estimate(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """Approve that a dead meter's estimate is charged."""
    book = _book(request, slug)
    found = _meter(book, meter_id)
    form = EstimateForm(request.POST)

    def record() -> None:
        approve_estimate(
            book_id=book.pk,
            meter_id=found.pk,
            seen_from_us=form.cleaned_data["from_us"],
            seen_wh=form.cleaned_data["wh"],
            reason=form.cleaned_data["reason"],
            user_id=access.person(request).pk,
            now_us=access.now_us(),
        )

    said = gettext("Approved. The charge appears with the next posting; nobody is cut on it.")
    return _recorded(request, book, found, form, record, said, "estimate_form")


def _recorded(
    request: HttpRequest,
    book: Book,
    found: Meter,
    form: Form,
    record: Callable[[], None],
    said: str,
    name: str,
) -> HttpResponse:
    if not form.is_valid():
        return _meter_page(request, book, found, status=_code(request, 422), **{name: form})
    try:
        record()
    except DeskRefused as refusal:
        status = 403 if isinstance(refusal, NotAllowed) else 422
        return _meter_page(request, book, found, status=status, refusal=refusal, **{name: form})
    messages.success(request, said)
    return redirect("console:meter", slug=book.slug, meter_id=found.pk)


def _meter_page(
    request: HttpRequest, book: Book, found: Meter, *, status: int = 200, **more: Any
) -> HttpResponse:
    today = local_date(zone=book.zone, at_us=access.now_us())
    row, papers, checks = queries.meter_page(book=book, meter=found, today=today)
    proposal = propose_estimate(book_id=book.pk, meter_id=found.pk, now_us=access.now_us())
    ratio = queries.ratio_of(book=book, meter=found)
    context = {
        "row": row,
        "papers": papers,
        "checks": checks,
        "certificate_form": CertificateForm(),
        "check_form": CheckForm(),
        **alarms.of_meter(book=book, meter=found),
        "opening": _opening(book, found),
        "proposal": proposal,
        "proposed_wh": proposal.wh * ratio[0] // ratio[1] if proposal else 0,
        "circuits": let_words.CIRCUITS,
        "circuit": _circuit(book, found),
        **more,
    }
    return _page(request, book, "console/meter.html", context, status=status)


def _circuit(book: Book, found: Meter) -> str:
    """What hangs on a meter, as it was noted."""
    with access.seeing(scope=access.scope_of_book(book=book)):
        return spared_circuits(book=book.pk).get((found.gateway_id, found.number), ORDINARY)


def _opening(book: Book, found: Meter) -> metering.Opening | None:
    home = Installation.objects.filter(meter=found, closed_us__isnull=True).select_related("meter").first()
    if home is None:
        return None
    with access.seeing(scope=access.scope_of_book(book=book)):
        return metering.opening_of(book=book, home=home)


def _day(
    request: HttpRequest,
    book: Book,
    found: Meter,
    day: date,
    *,
    editing: str,
    form: EditForm | None = None,
    refusal: DeskRefused | None = None,
    status: int = 200,
) -> HttpResponse:
    page = queries.day_page(book=book, meter=found, day=day)
    edited = next((value for value in page.values if str(value.at_us) == editing), None)
    today = local_date(zone=book.zone, at_us=access.now_us())
    context = {
        "day": page,
        "chart": day_chart(page=page, zone=book.zone),
        "table": day_table(page=page, zone=book.zone),
        "ratio": queries.ratio_of(book=book, meter=found),
        "edited": edited,
        "form": form,
        "refusal": refusal,
        "earlier": day - timedelta(days=1),
        "later": day + timedelta(days=1) if day < today else None,
    }
    return _page(request, book, "console/data_day.html", context, status=status)


def _page(
    request: HttpRequest, book: Book, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    now_us = access.now_us()
    frame = {
        "book": book,
        "sites": list(Site.objects.filter(book=book).order_by("id")),
        "zone": book.zone,
        "now_us": now_us,
        "may_write": _may_write(access.person(request)),
    }
    response = render(request, template, {**frame, **context}, status=status)
    patch_cache_control(response, private=True, no_store=True)
    return response


def _may_write(person: User) -> bool:
    """Whether to offer the forms; the flows ask again."""
    return person.role in (Role.OPERATOR, Role.ADMIN)


def _code(request: HttpRequest, status: int) -> int:
    """A form that is wrong is 422; for somebody who may not send one at all it is 403."""
    return status if _may_write(access.person(request)) else 403


def _book(request: HttpRequest, slug: str) -> Book:
    return access.desk_book(user=access.person(request), slug=slug)


def _meter(book: Book, meter_id: int) -> Meter:
    found = queries.find_meter(book=book, meter_id=meter_id)
    if found is None:
        raise Http404
    return found
