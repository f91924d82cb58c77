"""A resident doubts a charge: opens a case from the line, says and shows what there is, reads the ruling."""

from __future__ import annotations

import secrets
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET, require_http_methods

from fairwatt.flows.billed_unit import unit_of_wallet
from fairwatt.flows.dispute import DisputeRefused, open_dispute
from fairwatt.store.lines import line_at
from fairwatt.store.models import Dispute, Wallet
from fairwatt.web import access
from fairwatt.web.access import scope_of_wallet, seeing
from fairwatt.web.design.refusals import said
from fairwatt.web.disputing import CasePage, OpenForm, act, case_of, context_of, file_of
from fairwatt.web.near import about_us


@login_required
@require_http_methods(["GET", "POST"])
def doubt(request: HttpRequest, public_id: UUID, seq: int) -> HttpResponse:
    """The form to doubt one charge; a charge that has a case leads to it."""
    wallet = _wallet(request, public_id)
    with seeing(scope=scope_of_wallet(wallet=wallet)):
        with connection.cursor() as cursor:
            line = line_at(
                cursor=cursor, book=wallet.book_id, wallet=wallet.pk, seq=seq, about_us=about_us(request)
            )
        known = Dispute.objects.filter(wallet=wallet, line_seq=seq).first()
    if line is None or line.amount_micro >= 0:
        raise Http404
    if known is not None:
        return redirect("tenant:dispute", public_id=public_id, case_id=known.public_id)
    form, error = OpenForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            case = open_dispute(
                wallet_id=wallet.pk,
                line_seq=seq,
                about_us=line.ts_us,
                reason=form.cleaned_data["reason"],
                words=form.cleaned_data["words"],
                user_id=access.person(request).pk,
                now_us=access.now_us(),
                entropy=secrets.token_bytes(10),
            )
            return redirect("tenant:dispute", public_id=public_id, case_id=case.public_id)
        except DisputeRefused as refused:
            error = said(refused)
    context = {
        "wallet": wallet,
        "line": line,
        "line_us": line.ts_us,
        "unit": unit_of_wallet(wallet=wallet.pk),
        "currency": wallet.book.currency,
        "zone": wallet.book.zone,
        "form": form,
        "error": error,
    }
    wrong = bool(error) or (request.method == "POST" and not form.is_valid())
    return _private(render(request, "tenant/doubt.html", context, status=422 if wrong else 200))


@login_required
@require_http_methods(["GET", "POST"])
def dispute(request: HttpRequest, public_id: UUID, case_id: UUID) -> HttpResponse:
    """My case."""
    wallet = _wallet(request, public_id)
    scope = scope_of_wallet(wallet=wallet)
    page = CasePage(
        case=case_of(public_id=case_id, scope=scope), scope=scope, user=access.person(request), deciding=False
    )
    error = ""
    if request.method == "POST":
        try:
            act(request=request, page=page)
            return redirect("tenant:dispute", public_id=public_id, case_id=case_id)
        except DisputeRefused as refused:
            error = said(refused)
    context = {**context_of(page=page, error=error), "may_say": True}
    return _private(render(request, "tenant/dispute.html", context, status=422 if error else 200))


@login_required
@require_GET
def dispute_file(request: HttpRequest, public_id: UUID, case_id: UUID, entry_id: int) -> HttpResponse:
    """A file that was shown in my case."""
    scope = scope_of_wallet(wallet=_wallet(request, public_id))
    return file_of(entry_id=entry_id, case=case_of(public_id=case_id, scope=scope), scope=scope)


def _wallet(request: HttpRequest, public_id: UUID) -> Wallet:
    return access.resident_wallet(user=access.person(request), public_id=public_id, at_us=access.now_us())


def _private(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_store=True)
    return response
