"""Disputes at the desk: the cases of a book, one case with its ruling, and what was shown in it."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET, require_http_methods

from fairwatt.flows.dispute import DisputeRefused
from fairwatt.reports.disputes import REASONS, STATES, outcome
from fairwatt.store.models import Dispute, DisputeEntry, Role
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.frame import frame
from fairwatt.web.design.refusals import said
from fairwatt.web.disputing import CasePage, act, case_of, context_of, file_of

SHOWN = 100


@login_required
@require_GET
def disputes(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest cases; what waits for a ruling comes first."""
    book = access.desk_book(user=access.person(request), slug=slug)
    now_us = access.now_us()
    with seeing(scope=scope_of_book(book=book)):
        cases = list(
            Dispute.objects.filter(book=book)
            .select_related("wallet__unit__site")
            .order_by("-opened_us", "-pk")[:SHOWN]
        )
        entries: dict[int, list[DisputeEntry]] = {}
        for entry in DisputeEntry.objects.filter(dispute__in=cases).defer("content").order_by("pk"):
            entries.setdefault(entry.dispute_id, []).append(entry)
    listed = [(case, outcome(case, entries.get(case.pk, []), now_us)[0]) for case in cases]
    order = list(STATES)
    rank = {"overdue": -1, **{state: n for n, state in enumerate(order) if state != "overdue"}}
    listed.sort(key=lambda one: rank[one[1]])
    context = {
        **frame(book=book),
        "cases": [
            (case, state, STATES[state], REASONS.get(case.reason, case.reason)) for case, state in listed
        ],
    }
    response = render(request, "console/disputes.html", context)
    patch_cache_control(response, private=True, no_store=True)
    return response


@login_required
@require_http_methods(["GET", "POST"])
def dispute(request: HttpRequest, slug: str, case_id: UUID) -> HttpResponse:
    """One case: read, say, rule, approve."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    scope = scope_of_book(book=book)
    page = CasePage(
        case=case_of(public_id=case_id, scope=scope),
        scope=scope,
        user=user,
        deciding=user.role in (Role.OPERATOR, Role.ADMIN),
    )
    error = ""
    if request.method == "POST":
        try:
            act(request=request, page=page)
            return redirect("console:dispute", slug=slug, case_id=case_id)
        except DisputeRefused as refused:
            error = said(refused)
    context = {**frame(book=book), **context_of(page=page, error=error), "may_say": page.deciding}
    response = render(request, "console/dispute.html", context, status=422 if error else 200)
    patch_cache_control(response, private=True, no_store=True)
    return response


@login_required
@require_GET
def dispute_file(request: HttpRequest, slug: str, case_id: UUID, entry_id: int) -> HttpResponse:
    """A file that was shown in a case."""
    book = access.desk_book(user=access.person(request), slug=slug)
    scope = scope_of_book(book=book)
    return file_of(entry_id=entry_id, case=case_of(public_id=case_id, scope=scope), scope=scope)
