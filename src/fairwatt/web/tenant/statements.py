"""A resident's statement and fee report: the same reports as at the desk, about their own home only."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET

from fairwatt.reports.forms import FORMS
from fairwatt.reports.model import ReportError, Scope
from fairwatt.reports.registry import REPORTS
from fairwatt.web import access
from fairwatt.web.reporting import report_file, report_page

MINE = {name: report for name, report in REPORTS.items() if report.scope is Scope.WALLET}
FORM_NAMES = (("pdf", "PDF"), ("xlsx", "Excel"), ("csv", "CSV"))


@login_required
@require_GET
def statement(request: HttpRequest, public_id: UUID, name: str) -> HttpResponse:
    """My statement, or every deduction, over a period."""
    now_us = access.now_us()
    wallet = access.resident_wallet(user=access.person(request), public_id=public_id, at_us=now_us)
    if name not in MINE:
        raise Http404
    context = report_page(
        request=request, report=MINE[name], book=wallet.book, wallet=wallet.pk, now_us=now_us
    )
    shown = {
        **context,
        "wallet": wallet,
        "reports": MINE.values(),
        "forms": FORM_NAMES,
        "file_url": reverse("tenant:statement_file", args=[public_id, name, "pdf"]).removesuffix("pdf/"),
    }
    response = render(request, "tenant/statement.html", shown, status=context["status"])
    patch_cache_control(response, private=True, no_store=True)
    return response


@login_required
@require_GET
def statement_file(request: HttpRequest, public_id: UUID, name: str, form: str) -> HttpResponseBase:
    """The same as a file."""
    now_us = access.now_us()
    wallet = access.resident_wallet(user=access.person(request), public_id=public_id, at_us=now_us)
    if name not in MINE or form not in FORMS:
        raise Http404
    try:
        return report_file(
            request=request, report=MINE[name], book=wallet.book, wallet=wallet.pk, form=form, now_us=now_us
        )
    except ReportError:
        return statement(request, public_id=public_id, name=name)
