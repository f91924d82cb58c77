"""What a home owes besides energy: fees, shares of common costs, and how to object to one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET, require_POST

from fairwatt.flows.shared_costs import SharedCostRefused, object_to_share
from fairwatt.store import costs
from fairwatt.store.models import (
    AllocationProof,
    AllocationShare,
    CostEntry,
    CostStep,
    Fee,
    Wallet,
)
from fairwatt.web import access
from fairwatt.web.access import scope_of_wallet, seeing
from fairwatt.web.design.refusals import said
from fairwatt.web.proof import proof_file

SHOWN = 40


@login_required
@require_GET
def owed(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Fees and shares of this home, and what is still open of them, apart from energy."""
    wallet = _wallet(request, public_id)
    with seeing(scope=scope_of_wallet(wallet=wallet)), connection.cursor() as cursor:
        waiting = costs.open_of_wallet(cursor=cursor, book=wallet.book_id, wallet=wallet.pk)
        _, rule = costs.fee_rule(cursor=cursor, book=wallet.book_id)
        context = {
            **_frame(wallet),
            "open": waiting,
            "open_micro": sum(one.open_micro for one in waiting),
            "rule": rule,
            "entries": _entries(wallet),
            "shares": _shares(wallet),
        }
    return _private(render(request, "tenant/owed.html", context))


@login_required
@require_GET
def share(request: HttpRequest, public_id: UUID, share_id: int) -> HttpResponse:
    """One share: the formula, this home's inputs, how everything adds up, and the way to object."""
    wallet = _wallet(request, public_id)
    return _private(render(request, "tenant/share.html", _share_page(wallet, share_id)))


@login_required
@require_POST
def object_to(request: HttpRequest, public_id: UUID, share_id: int) -> HttpResponse:
    """Object to a share of this home."""
    wallet = _wallet(request, public_id)
    _share_page(wallet, share_id)
    try:
        object_to_share(
            book_id=wallet.book_id,
            share_id=share_id,
            wallet_id=wallet.pk,
            reason=request.POST.get("reason", ""),
            by=access.person(request),
            now_us=access.now_us(),
        )
    except SharedCostRefused as error:
        messages.error(request, said(error))
    return redirect("tenant:share", public_id=public_id, share_id=share_id)


@login_required
@require_GET
def share_file(request: HttpRequest, public_id: UUID, share_id: int) -> HttpResponseBase:
    """The published proof: every share under its key, nobody by name."""
    wallet = _wallet(request, public_id)
    return proof_file(request=request, proof=_share_page(wallet, share_id)["proof"])


def _share_page(wallet: Wallet, share_id: int) -> dict[str, Any]:
    """Everything about one share; Http404 when it is not this wallet's."""
    now_us = access.now_us()
    with seeing(scope=scope_of_wallet(wallet=wallet)):
        mine = (
            AllocationShare.objects.filter(pk=share_id, wallet=wallet.pk).select_related("allocation").first()
        )
        if mine is None:
            raise Http404
        proof = AllocationProof.objects.get(allocation=mine.allocation)
        steps = list(CostStep.objects.filter(share=mine.pk).order_by("id"))
        entry = CostEntry.objects.filter(share=mine.pk, of__isnull=True, wallet=wallet.pk).first()
    rows = proof.body["shares"]
    return {
        **_frame(wallet),
        "share": mine,
        "cost": mine.allocation,
        "proof": proof,
        "formula": proof.body["formula"],
        "source": proof.body["source"],
        "mine": next(row for row in rows if row["unit"] == mine.key),
        "homes": len(rows),
        "sums": {name: sum(row[name] for row in rows) for name in ("area_dm2", "heads", "own_wh")},
        "others_micro": proof.body["total_micro"] - mine.amount_micro,
        "total_micro": proof.body["total_micro"],
        "steps": steps,
        "entry": entry,
        "may_object": not steps and now_us < proof.deadline_us,
        "deadline_us": proof.deadline_us,
    }


def _entries(wallet: Wallet) -> list[dict[str, Any]]:
    rows = list(CostEntry.objects.filter(wallet=wallet.pk).order_by("-id")[:SHOWN])
    fees = dict(Fee.objects.filter(pk__in={row.fee for row in rows if row.fee}).values_list("id", "name"))
    shares = {row.share for row in rows if row.share}
    titles = dict(AllocationShare.objects.filter(pk__in=shares).values_list("id", "allocation__title"))
    return [
        {
            "entry": row,
            "name": fees.get(row.fee or 0) or titles.get(row.share or 0) or row.inputs.get("package", ""),
        }
        for row in rows
    ]


def _shares(wallet: Wallet) -> list[dict[str, Any]]:
    now_us = access.now_us()
    rows = AllocationShare.objects.filter(wallet=wallet.pk).order_by("-id")[:SHOWN]
    found = list(rows.select_related("allocation__allocationproof"))
    waiting = set(CostStep.objects.filter(wallet=wallet.pk, kind="objected").values_list("share", flat=True))
    return [
        {
            "share": row,
            "cost": row.allocation,
            "deadline_us": row.allocation.allocationproof.deadline_us,
            "open": now_us < row.allocation.allocationproof.deadline_us,
            "objected": row.pk in waiting,
        }
        for row in found
    ]


def _wallet(request: HttpRequest, public_id: UUID) -> Wallet:
    return access.resident_wallet(user=access.person(request), public_id=public_id, at_us=access.now_us())


def _frame(wallet: Wallet) -> dict[str, Any]:
    return {
        "wallet": wallet,
        "currency": wallet.book.currency,
        "zone": wallet.book.zone,
        "now_us": access.now_us(),
    }


def _private(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_store=True)
    return response
