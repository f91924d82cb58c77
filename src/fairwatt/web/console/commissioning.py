"""The technician's checklist at a meter, how far a building has got, and the pictures that were taken."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.metering.checklist import Step
from fairwatt.flows.commission import record_step, sign_off, site_of
from fairwatt.flows.desk import DeskRefused, NotAllowed
from fairwatt.flows.photos import SENT_BYTES_MAX, BadPhoto
from fairwatt.store.models import Book, Meter, Unit, User
from fairwatt.web import access, metering
from fairwatt.web.console import quality_queries as queries
from fairwatt.web.console.checklist_forms import FORMS, value_of
from fairwatt.web.console.frame import frame, private
from fairwatt.web.design import checklist_words as words


@login_required
@require_GET
def commissioning(request: HttpRequest, slug: str) -> HttpResponse:
    """How many homes of each building are signed off, and what the others lack."""
    book = access.desk_book(user=access.person(request), slug=slug)
    with access.seeing(scope=access.scope_of_book(book=book)):
        sites = metering.overview(book=book)
    context = {**frame(book=book), "buildings": sites, "total": sum(one.total for one in sites)}
    return private(render(request, "console/commissioning.html", context))


@login_required
@require_GET
def checklist(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """One meter's checklist, made for a phone."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return _page(request, book, _meter(book, meter_id))


@login_required
@require_POST
def check_step(request: HttpRequest, slug: str, meter_id: int) -> HttpResponse:
    """Write down one step, or sign."""
    book = access.clerk_book(user=access.person(request), slug=slug)
    meter = _meter(book, meter_id)
    step = request.POST.get("step", "")
    form = FORMS[step](request.POST, unit=metering.unit_of_meter(meter)) if step in FORMS else None
    withdrawn = request.POST.get("withdraw") == "yes"
    if form is not None and not withdrawn and not form.is_valid():
        return _page(request, book, meter, bad={step: form}, status=422)
    about: dict[str, Any] = {
        "book_id": book.pk,
        "meter_id": meter.pk,
        "user_id": access.person(request).pk,
        "now_us": access.now_us(),
    }
    try:
        if step == Step.SIGNED:
            sign_off(**about, words=request.POST.get("words", ""))
        else:
            record_step(
                **about,
                step=step,
                value={"withdrawn": True} if withdrawn or form is None else value_of(form),
                words="" if form is None or withdrawn else form.cleaned_data.get("words", ""),
                photo=None if withdrawn else _photo(request),
                unit_label=request.POST.get("unit", ""),
            )
    except DeskRefused as refusal:
        status = 403 if isinstance(refusal, NotAllowed) else 422
        return _page(request, book, meter, refusal=refusal, status=status)
    messages.success(request, gettext("Written down: %(step)s.") % {"step": words.step_name(step)})
    return redirect("console:checklist", slug=book.slug, meter_id=meter.pk)


@login_required
@require_GET
def meter_photo(request: HttpRequest, slug: str, photo_id: int) -> HttpResponse:
    """A picture of a meter of this book."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return metering.photo_response(scope=access.scope_of_book(book=book), photo_id=photo_id)


def _photo(request: HttpRequest) -> bytes | None:
    sent = request.FILES.get("photo")
    if not isinstance(sent, UploadedFile):
        return None
    if (sent.size or 0) > SENT_BYTES_MAX:
        raise BadPhoto("A photo has between 1 byte and 12 MB. Nothing was written down; send a smaller one.")
    content: bytes = sent.read()
    return content


def _page(
    request: HttpRequest,
    book: Book,
    meter: Meter,
    *,
    refusal: DeskRefused | None = None,
    bad: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    with access.seeing(scope=access.scope_of_book(book=book)):
        site = site_of(book=book, meter=meter)
        found = site.checklist
        reported = metering.reported(home=site.home)
        people = dict(
            User.objects.filter(pk__in={row.author for row in site.records}).values_list("pk", "username")
        )
        rooms = (
            []
            if site.home is not None
            else list(Unit.objects.filter(site=meter.gateway.site).order_by("floor", "position"))
        )
    unit = metering.unit_of_meter(meter)
    rows = [
        {
            "item": item,
            "name": words.step_name(item.step),
            "how": words.how_to(item.step),
            "state": words.state_name(item.state),
            "found": words.found(record=item.record, unit=unit) if item.record and item.record.value else "",
            "who": people.get(item.record.author, "") if item.record else "",
            "form": (bad or {}).get(item.step)
            or (FORMS[item.step](unit=unit) if item.step in FORMS else None),
            "wrong": item.step in (bad or {}),
            "photo": item.record.photo if item.record else None,
        }
        for item in found.items
    ]
    context = {
        **frame(book=book),
        "meter": meter,
        "site": site,
        "checklist": found,
        "rows": rows,
        "rooms": rooms,
        "reported": reported,
        "unit": unit,
        "missing": words.still_missing(found.missing) if found.missing else "",
        "refusal": refusal,
        "may_write": access.may_act(user=access.person(request)),
    }
    return private(render(request, "console/checklist.html", context, status=status))


def _meter(book: Book, meter_id: int) -> Meter:
    found = queries.find_meter(book=book, meter_id=meter_id)
    if found is None:
        raise Http404
    return found
