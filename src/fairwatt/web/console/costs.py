"""The desk's pages of shared costs: draft, preview, publish, decide objections, take back; each write is one flow."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from fairwatt.core.costs.apportion import ApportionError, Basis
from fairwatt.core.spans import date_start
from fairwatt.flows.cost_sources import SourceRefused
from fairwatt.flows.shared_costs import (
    SharedCostRefused,
    decide_objection,
    draft_allocation,
    may_not_decide,
    preview,
    publish,
    publish_formula,
    take_back,
)
from fairwatt.store.models import (
    Allocation,
    AllocationProof,
    AllocationShare,
    Book,
    CostEntry,
    CostStep,
    Unit,
    User,
)
from fairwatt.web import access
from fairwatt.web.access import scope_of_book, seeing
from fairwatt.web.console.cost_forms import CostForm, DecisionForm, ReasonForm
from fairwatt.web.console.frame import frame, private
from fairwatt.web.design.refusals import said
from fairwatt.web.proof import proof_file


@login_required
@require_GET
def costs(request: HttpRequest, slug: str) -> HttpResponse:
    """Every shared cost of a book and how far it is."""
    book = access.desk_book(user=access.person(request), slug=slug)
    return private(render(request, "console/costs.html", _costs_page(request, book)))


@login_required
@require_POST
def draft(request: HttpRequest, slug: str) -> HttpResponse:
    """Write a draft; its page is the preview."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    form = CostForm(book=book, data=request.POST)
    if form.is_valid():
        now_us = access.now_us()
        try:
            formula = publish_formula(
                book_id=book.pk, formula=form.cleaned_data["formula"], by=user, now_us=now_us
            )
            made = draft_allocation(
                book_id=book.pk,
                formula_id=formula.pk,
                by=user,
                now_us=now_us,
                entropy=secrets.token_bytes(16),
                **form.wishes(),
            )
        except (SharedCostRefused, SourceRefused) as error:
            form.add_error(None, said(error))
        else:
            return redirect("console:cost", slug=slug, cost_id=made.pk)
    context = {**_costs_page(request, book), "form": form}
    return private(render(request, "console/costs.html", context, status=422))


@login_required
@require_GET
def cost(request: HttpRequest, slug: str, cost_id: int) -> HttpResponse:
    """One shared cost: each share with its inputs and arithmetic, objections, and the proof."""
    user = access.person(request)
    book = access.desk_book(user=user, slug=slug)
    return private(render(request, "console/cost.html", _cost_page(request, user, book, cost_id)))


@login_required
@require_POST
def publish_cost(request: HttpRequest, slug: str, cost_id: int) -> HttpResponse:
    """Publish a draft: residents see their shares and may object."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    _of_book(book, cost_id)
    try:
        publish(
            book_id=book.pk,
            allocation_id=cost_id,
            seen_digest=request.POST.get("digest", ""),
            by=user,
            now_us=access.now_us(),
        )
    except SharedCostRefused as error:
        messages.error(request, said(error))
    return redirect("console:cost", slug=slug, cost_id=cost_id)


@login_required
@require_POST
def decide(request: HttpRequest, slug: str, share_id: int) -> HttpResponse:
    """Decide an objection."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    with seeing(scope=scope_of_book(book=book)):
        share = AllocationShare.objects.filter(pk=share_id, book=book.pk).first()
    if share is None:
        raise Http404
    form = DecisionForm(request.POST)
    if form.is_valid():
        try:
            decide_objection(
                book_id=book.pk,
                share_id=share_id,
                amount_micro=form.amount_micro(),
                reason=form.cleaned_data["reason"],
                by=user,
                now_us=access.now_us(),
            )
        except SharedCostRefused as error:
            messages.error(request, said(error))
    else:
        messages.error(
            request,
            gettext(
                "A decision needs its outcome, a reason and, if it is upheld, the new share. Nothing was decided."
            ),
        )
    return redirect("console:cost", slug=slug, cost_id=share.allocation_id)


@login_required
@require_POST
def take_back_cost(request: HttpRequest, slug: str, cost_id: int) -> HttpResponse:
    """Take a published cost back."""
    user = access.person(request)
    book = access.clerk_book(user=user, slug=slug)
    _of_book(book, cost_id)
    form = ReasonForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    try:
        take_back(book_id=book.pk, allocation_id=cost_id, reason=reason, by=user, now_us=access.now_us())
    except SharedCostRefused as error:
        messages.error(request, said(error))
    return redirect("console:cost", slug=slug, cost_id=cost_id)


@login_required
@require_GET
def cost_file(request: HttpRequest, slug: str, cost_id: int) -> HttpResponseBase:
    """The published proof as a file that anybody can add up again."""
    book = access.desk_book(user=access.person(request), slug=slug)
    found = _of_book(book, cost_id)
    proof = AllocationProof.objects.filter(allocation=found).select_related("allocation").first()
    if proof is None:
        raise Http404
    return proof_file(request=request, proof=proof)


def _of_book(book: Book, cost_id: int) -> Allocation:
    found = (
        Allocation.objects.select_related("book", "formula", "site", "created_by")
        .filter(pk=cost_id, book=book)
        .first()
    )
    if found is None:
        raise Http404
    return found


def _costs_page(request: HttpRequest, book: Book) -> dict[str, Any]:
    now_us = access.now_us()
    with seeing(scope=scope_of_book(book=book)):
        listed = [
            {"cost": one, "state": _state(one, now_us)}
            for one in Allocation.objects.filter(book=book).select_related("site").order_by("-id")[:100]
        ]
    return {
        **frame(book=book),
        "costs": listed,
        "may_act": access.may_act(user=access.person(request)),
        "form": CostForm(book=book),
    }


def _state(one: Allocation, now_us: int) -> dict[str, Any]:
    """How far a shared cost is: draft, open to objections, waiting, charged, taken back; and what waits."""
    proof = AllocationProof.objects.filter(allocation=one).first()
    if proof is None:
        return {"word": "draft", "waiting": 0, "deadline_us": 0}
    steps = list(CostStep.objects.filter(allocation=one.pk).values_list("kind", "share"))
    decided = {share for kind, share in steps if kind in ("upheld", "rejected")}
    waiting = sum(kind == "objected" and share not in decided for kind, share in steps)
    if any(kind == "reversed" and share is None for kind, share in steps):
        word = "back"
    elif now_us < proof.deadline_us:
        word = "open"
    else:
        charged = CostEntry.objects.filter(
            share__in=AllocationShare.objects.filter(allocation=one).values("id")
        )
        word = "charged" if charged.exists() else "due"
    return {"word": word, "waiting": waiting, "deadline_us": proof.deadline_us}


def _cost_page(request: HttpRequest, user: User, book: Book, cost_id: int) -> dict[str, Any]:
    found = _of_book(book, cost_id)
    now_us = access.now_us()
    problem, seen = "", None
    with seeing(scope=scope_of_book(book=book)):
        state = _state(found, now_us)
        proof = AllocationProof.objects.filter(allocation=found).select_related("published_by").first()
        if proof is None:
            try:
                seen = preview(allocation=found)
            except ApportionError as error:
                problem = said(error)
        rows = _published_rows(found, proof) if proof else _preview_rows(seen)
        reversal = CostStep.objects.filter(
            book=book.pk, allocation=found.pk, kind="reversed", share__isnull=True
        ).select_related("person")
        taken_back = reversal.first()
    return {
        **frame(book=book),
        "cost": found,
        "state": state,
        "proof": proof,
        "rows": rows,
        "missing": seen.missing if seen else (),
        "digest": seen.proof()["digest"] if seen else "",
        "problem": problem,
        "sum_micro": sum(row["amount_micro"] for row in rows),
        "from_us": date_start(zone=book.zone, day=found.first_day),
        "taken_back": taken_back,
        "objections": [row for row in rows if row["steps"]],
        "by_own_use": any(part["by"] == Basis.OWN_USE for part in found.formula.body["parts"]),
        "may_act": access.may_act(user=user),
        "may_decide": not may_not_decide(allocation=found, by=user),
    }


def _preview_rows(seen: Any) -> list[dict[str, Any]]:
    return [
        {
            "label": one.stay.label if one.stay else "",
            "first": one.stay.first if one.stay else None,
            "end": one.stay.end if one.stay else None,
            "payer": "resident" if one.stay and one.stay.resident is not None else "landlord",
            "days": one.participant.days if one.participant else 0,
            "area_dm2": one.participant.area_dm2 if one.participant else 0,
            "heads": one.participant.heads if one.participant else 0,
            "own_wh": one.participant.own_wh if one.participant else 0,
            "floor_micro": one.floor_micro,
            "residue_micro": one.residue_micro,
            "amount_micro": one.amount_micro,
            "key": one.key,
            "steps": (),
        }
        for one in (seen.shares if seen else ())
    ]


def _published_rows(found: Allocation, proof: AllocationProof) -> list[dict[str, Any]]:
    """The shares of the proof with the homes the desk knows, and what residents and deciders said."""
    inputs = {row["unit"]: row for row in proof.body["shares"]}
    labels = dict(Unit.objects.filter(site=found.site).values_list("id", "label"))
    steps: dict[int, list[CostStep]] = {}
    told = CostStep.objects.filter(allocation=found.pk, share__isnull=False).select_related("person")
    for step in told.order_by("id"):
        steps.setdefault(step.share or 0, []).append(step)
    rows = [
        {
            **inputs[share.key],
            "share": share,
            "key": share.key,
            "label": labels.get(share.unit or 0, ""),
            "first": share.first_day,
            "end": share.end_day,
            "steps": steps.get(share.pk, ()),
            "open": [step.kind for step in steps.get(share.pk, ())] == ["objected"],
        }
        for share in AllocationShare.objects.filter(allocation=found)
    ]
    return sorted(rows, key=lambda row: (not row["label"], row["label"], str(row["first"])))
