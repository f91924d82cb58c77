"""A common cost from draft to ledger: preview, publish, object, decide, take back. Each step names its person.

What is published cannot be changed: shares, proof file and steps are append-only. Money moves when the objection
window is over and the poster has added everything up again (flows/raise_due.py, flows/posting/shares.py).
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.costs.apportion import ApportionError, Formula, Payer
from fairwatt.core.costs.formula import formula_to_obj
from fairwatt.core.ids import reversal_key
from fairwatt.core.refusal import Refusal
from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.cost_preview import Preview, PreviewedShare, work_out
from fairwatt.flows.cost_sources import Source, measure
from fairwatt.store import costs, facts
from fairwatt.store.models import (
    Allocation,
    AllocationProof,
    AllocationShare,
    CostEntry,
    CostFormula,
    CostStep,
    Role,
    Site,
    Tenancy,
    User,
)

REASON_MAX: Final = 500
TOTAL_MICRO_MAX: Final = 10**16
"""As in keep_books: sums of many such amounts still fit where they are added up."""


class SharedCostRefused(Refusal):
    """A step that cannot be taken as asked; no balance moves by it."""


@transaction.atomic(durable=True)
def publish_formula(*, book_id: int, formula: Formula, by: User | None, now_us: int) -> CostFormula:
    """Publish a formula as the next version of a book's; the same formula again is the same version."""
    body = formula_to_obj(formula)
    newest = CostFormula.objects.filter(book_id=book_id).order_by("-version").first()
    if newest is not None and newest.body == body:
        return newest
    version = 1 if newest is None else newest.version + 1
    return CostFormula.objects.create(
        book_id=book_id, version=version, body=body, created_us=now_us, created_by=by
    )


@transaction.atomic(durable=True)
def draft_allocation(
    *,
    book_id: int,
    site_id: int,
    formula_id: int,
    title: str,
    first_day: date,
    end_day: date,
    source: Source,
    objection_days: int,
    by: User,
    now_us: int,
    entropy: bytes,
) -> Allocation:
    """Write down what is to be shared over the days [first_day, end_day); nobody is charged by a draft.

    `entropy`: 16 random bytes, from which residents' keys are made. Raises SharedCostRefused.
    """
    site = Site.objects.select_related("book").filter(pk=site_id, book_id=book_id).first()
    formula = CostFormula.objects.filter(pk=formula_id, book_id=book_id).first()
    if site is None or formula is None:
        raise SharedCostRefused(
            "That building or formula is not in this book. Nothing was written; choose another."
        )
    if not title.strip() or first_day >= end_day or not 1 <= objection_days <= 90:
        raise SharedCostRefused(
            "A shared cost needs a title, a last day after its first, and 1 to 90 days for objections. "
            "Nothing was written."
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        found = measure(cursor=cursor, site=site, source=source, first=first_day, end=end_day, now_us=now_us)
    if found.total_micro > TOTAL_MICRO_MAX:
        raise SharedCostRefused(
            "The cost is too large to be right. Nothing was written and nobody is charged; "
            "check the amount and its unit."
        )
    if found.total_micro <= 0:
        raise SharedCostRefused(
            "There is nothing to share: the cost is not above zero. Nothing was written. A cost that was shared too "
            "high is taken back as a whole and shared again."
        )
    return Allocation.objects.create(
        book_id=book_id,
        site=site,
        formula=formula,
        title=title.strip(),
        first_day=first_day,
        end_day=end_day,
        source=found.evidence,
        total_micro=found.total_micro,
        objection_days=objection_days,
        salt=entropy[:16].hex(),
        created_us=now_us,
        created_by=by,
    )


def preview(*, allocation: Allocation) -> Preview:
    """Work out every share with its inputs and arithmetic; nothing is written. Raises ApportionError."""
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=allocation.book_id)
        return work_out(cursor=cursor, allocation=allocation)


@transaction.atomic(durable=True)
def publish(*, book_id: int, allocation_id: int, seen_digest: str, by: User, now_us: int) -> AllocationProof:
    """Publish a draft: its shares stand, and residents may object until the deadline.

    `seen_digest`: the digest of the preview that the person looked at (`preview(...).proof()["digest"]`); other figures
    are not published. Raises SharedCostRefused.
    """
    allocation = _of_book(book_id, allocation_id)
    if AllocationProof.objects.filter(allocation=allocation).exists():
        raise SharedCostRefused("This shared cost was published before. Nothing was changed.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        _refuse_twice(cursor, allocation)
        try:
            seen = work_out(cursor=cursor, allocation=allocation)
        except ApportionError as error:
            raise SharedCostRefused(
                "It cannot be shared as it stands: %(why)s. Nobody is charged.", why=error
            ) from error
        if seen.missing:
            raise SharedCostRefused(
                "The formula counts what is not known of %(units)s. Nothing was published; measure these units first.",
                units=", ".join(seen.missing[:8]),
            )
        body = seen.proof()
        if body["digest"] != seen_digest:
            raise SharedCostRefused(
                "The figures have changed since you looked at them: who lives where, what was measured or used. "
                "Nothing was published and nobody is charged; look at the new preview and publish that."
            )
        AllocationShare.objects.bulk_create([_share_row(allocation, one) for one in seen.shares])
        CostStep.objects.create(
            book=book_id,
            allocation=allocation.pk,
            kind="published",
            person=by,
            at_us=now_us,
            reason=body["digest"],
        )
        return AllocationProof.objects.create(
            allocation=allocation,
            body=body,
            digest=body["digest"],
            published_us=now_us,
            deadline_us=now_us + allocation.objection_days * US_PER_DAY,
            published_by=by,
        )


@transaction.atomic(durable=True)
def object_to_share(
    *, book_id: int, share_id: int, wallet_id: int, reason: str, by: User, now_us: int
) -> CostStep:
    """Object to the share of one's own wallet: it waits for a decision, nobody else does.

    Raises SharedCostRefused after the deadline, without a reason, or when there is an objection.
    """
    reason = reason.replace("\x00", "")
    if not reason.strip():
        raise SharedCostRefused("Say what is wrong with the share. Nothing was changed; write a reason.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        share = AllocationShare.objects.filter(pk=share_id, book=book_id, wallet=wallet_id).first()
        proof = AllocationProof.objects.filter(allocation_id=share.allocation_id).first() if share else None
        if share is None or proof is None:
            raise SharedCostRefused("There is no such share of this home. Nothing was changed.")
        costs.lock_shares(cursor=cursor, allocation=share.allocation_id)
        ends_us = costs.window_ends_us(cursor=cursor, allocation=share.allocation_id)
        if (ends_us is not None and now_us >= ends_us) or CostEntry.objects.filter(share=share_id).exists():
            raise SharedCostRefused(
                "The time for objections is over, and the share has been or will be charged. "
                "Ask the people who look after the building; they can take it back."
            )
        if _reversed(book_id, share.allocation_id) or CostStep.objects.filter(share=share_id).exists():
            raise SharedCostRefused(
                "There is an objection already, or the cost was taken back. Nothing was changed."
            )
        return CostStep.objects.create(
            book=book_id,
            wallet=wallet_id,
            allocation=share.allocation_id,
            share=share_id,
            kind="objected",
            person=by,
            at_us=now_us,
            reason=reason.strip()[:REASON_MAX],
        )


@transaction.atomic(durable=True)
def decide_objection(
    *, book_id: int, share_id: int, amount_micro: int | None, reason: str, by: User, now_us: int
) -> CostStep:
    """Decide an objection: with an amount it is upheld and the landlord carries the rest, without it is rejected.

    Who drafted or published the cost cannot decide, unless the organisation has nobody else. Raises
    SharedCostRefused.
    """
    if not reason.strip():
        raise SharedCostRefused("A decision gives its reason. Nothing was decided; write one.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        share = AllocationShare.objects.filter(pk=share_id, book=book_id).select_related("allocation").first()
        steps = list(CostStep.objects.filter(share=share_id, book=book_id).values_list("kind", flat=True))
        if share is None or steps != ["objected"]:
            raise SharedCostRefused("There is no open objection to this share. Nothing was changed.")
        if amount_micro is not None and not 0 <= amount_micro < share.amount_micro:
            raise SharedCostRefused(
                "An upheld objection lowers the share: the new amount is from zero to less than the published one. "
                "Nothing was decided."
            )
        if _own_cause(share, by):
            raise SharedCostRefused(
                "Who objected, or has lived in the home, does not decide the objection. "
                "Nothing was decided; ask a colleague."
            )
        if may_not_decide(allocation=share.allocation, by=by):
            raise SharedCostRefused(
                "Who drafted or published a shared cost does not decide objections to it. "
                "Nothing was decided; ask a colleague."
            )
        return CostStep.objects.create(
            book=book_id,
            wallet=share.wallet,
            allocation=share.allocation_id,
            share=share_id,
            kind="rejected" if amount_micro is None else "upheld",
            person=by,
            at_us=now_us,
            reason=reason.strip()[:REASON_MAX],
            amount_micro=amount_micro,
        )


@transaction.atomic(durable=True)
def take_back(*, book_id: int, allocation_id: int, reason: str, by: User, now_us: int) -> CostStep:
    """Take a published cost back: what was charged returns, what was not yet never will be.

    Raises SharedCostRefused.
    """
    allocation = _of_book(book_id, allocation_id)
    if not reason.strip():
        raise SharedCostRefused("Say why the cost is taken back. Nothing was changed; write a reason.")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        published = AllocationProof.objects.filter(allocation=allocation).exists()
        if not published or _reversed(book_id, allocation_id):
            raise SharedCostRefused(
                "This cost is not published, or was taken back before. Nothing was changed."
            )
        step = CostStep.objects.create(
            book=book_id,
            allocation=allocation_id,
            kind="reversed",
            person=by,
            at_us=now_us,
            reason=reason.strip()[:REASON_MAX],
        )
        facts.add(
            cursor=cursor,
            book=book_id,
            kind="reversal",
            natural_key=reversal_key(what="allocation", number=allocation_id),
            wallet=None,
            payload={"allocation": allocation_id},
            raw=b"",
            now_us=now_us,
        )
    return step


def may_not_decide(*, allocation: Allocation, by: User) -> bool:
    """True where four eyes are asked for: this person drafted or published, and there is a colleague."""
    publisher = (
        AllocationProof.objects.filter(allocation=allocation).values_list("published_by", flat=True).first()
    )
    authors = [pk for pk in (allocation.created_by_id, publisher) if pk is not None]
    if by.pk not in authors:
        return False
    staff = User.objects.filter(
        organisation=by.organisation, is_active=True, role__in=(Role.OPERATOR, Role.ADMIN)
    )
    return staff.exclude(pk__in=authors).exists()


def _refuse_twice(cursor: Any, allocation: Allocation) -> None:
    """One cost is shared once: not again what the same source came to on days of a published cost that stands."""
    costs.lock_publishing(cursor=cursor, site=allocation.site_id)
    stands = Allocation.objects.filter(
        site=allocation.site_id,
        source=allocation.source,
        total_micro=allocation.total_micro,
        first_day__lt=allocation.end_day,
        end_day__gt=allocation.first_day,
        allocationproof__isnull=False,
    )
    for other in stands.exclude(pk=allocation.pk):
        if not _reversed(allocation.book_id, other.pk):
            raise SharedCostRefused(
                "%(title)s has shared this very cost: the same evidence, amount and days. Nothing was published. "
                "If this is another cost, say so in its evidence; if the other was wrong, take it back first.",
                title=other.title,
            )


def _own_cause(share: AllocationShare, by: User) -> bool:
    objected = CostStep.objects.filter(share=share.pk, book=share.book, kind="objected", person=by)
    return objected.exists() or Tenancy.objects.filter(wallet=share.wallet, user=by).exists()


def _share_row(allocation: Allocation, one: PreviewedShare) -> AllocationShare:
    stay = one.stay
    return AllocationShare(
        book=allocation.book_id,
        allocation=allocation,
        wallet=stay.resident if stay else None,
        unit=stay.unit if stay else None,
        key=one.key,
        payer=Payer.RESIDENT if stay and stay.resident is not None else Payer.LANDLORD,
        first_day=stay.first if stay else allocation.first_day,
        end_day=stay.end if stay else allocation.end_day,
        amount_micro=one.amount_micro,
    )


def _of_book(book_id: int, allocation_id: int) -> Allocation:
    found = (
        Allocation.objects.select_related("book", "formula").filter(pk=allocation_id, book_id=book_id).first()
    )
    if found is None:
        raise SharedCostRefused("There is no such shared cost in this book. Nothing was changed.")
    return found


def _reversed(book_id: int, allocation_id: int) -> bool:
    return CostStep.objects.filter(
        book=book_id, allocation=allocation_id, kind="reversed", share__isnull=True
    ).exists()
