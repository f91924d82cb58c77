"""The desk's reports: the list, one page for each, and its files."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET

from fairwatt.reports.forms import FORMS
from fairwatt.reports.model import Report, ReportError, Scope
from fairwatt.reports.registry import REPORTS
from fairwatt.store.models import Book, Wallet
from fairwatt.web import access
from fairwatt.web.console.frame import frame
from fairwatt.web.reporting import report_file, report_page

FORM_NAMES = (("pdf", "PDF"), ("xlsx", "Excel"), ("csv", "CSV"), ("json", "JSON"))
OF_WHOLE_MONTHS = frozenset({"month-end", "supplier"})
"""Reports that say little of a month that has just begun: who asks for no period gets the last whole one."""


@login_required
@require_GET
def reports(request: HttpRequest, slug: str) -> HttpResponse:
    """Every report of the house."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return _private(
        render(request, "console/reports.html", {**frame(book=book), "reports": REPORTS.values()})
    )


@login_required
@require_GET
def report(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """One report over the period that was asked for."""
    book = access.desk_book(user=access.person(request), slug=slug)
    asked, wallet, homes = _about(request, book, name)
    context = report_page(
        request=request,
        report=asked,
        book=book,
        wallet=wallet,
        now_us=access.now_us(),
        last_month=asked.name in OF_WHOLE_MONTHS,
    )
    file_url = reverse("console:report_file", args=[slug, name, "pdf"]).removesuffix("pdf/")
    shown = {
        **frame(book=book),
        **context,
        "homes": homes,
        "wallet_id": wallet,
        "forms": FORM_NAMES,
        "file_url": file_url,
    }
    return _private(render(request, "console/report.html", shown, status=context["status"]))


@login_required
@require_GET
def report_as_file(request: HttpRequest, slug: str, name: str, form: str) -> HttpResponseBase:
    """The same report as a file."""
    book = access.desk_book(user=access.person(request), slug=slug)
    asked, wallet, _ = _about(request, book, name)
    if form not in FORMS:
        raise Http404
    try:
        return report_file(
            request=request,
            report=asked,
            book=book,
            wallet=wallet,
            form=form,
            now_us=access.now_us(),
            last_month=asked.name in OF_WHOLE_MONTHS,
        )
    except ReportError:
        # The page says in words what is wrong with the question.
        return report(request, slug=slug, name=name)


def _about(request: HttpRequest, book: Book, name: str) -> tuple[Report, int | None, list[Wallet]]:
    """The report, the wallet it is about if it is about one, and the homes to choose from."""
    found = REPORTS.get(name)
    if found is None:
        raise Http404
    if found.scope is Scope.BOOK:
        return found, None, []
    homes = list(
        Wallet.objects.filter(book=book)
        .select_related("unit__site")
        .order_by("unit__site_id", "unit__label", "pk")
    )
    if not homes:
        raise Http404
    asked = request.GET.get("home", "")
    wallet = next((home.pk for home in homes if str(home.pk) == asked), None)
    if asked and wallet is None:
        raise Http404
    return found, wallet or homes[0].pk, homes


def _private(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_store=True)
    return response
