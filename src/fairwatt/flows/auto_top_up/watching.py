"""Homes with an agreement are looked at: what was tried is folded in, a fall is seen, a payment is written down.

The keeper looks, as often as it likes: what one fall leads to has a natural key, and nothing is taken while any payment
into the home is on its way. The collector takes the payment; the poster alone credits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.credit.auto_top_up import (
    FAILS_MAX,
    AutoDecision,
    AutoDo,
    AutoSeen,
    AutoTerms,
    decide_auto,
)
from fairwatt.core.notices.model import Step as Told
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, micro_from_minor
from fairwatt.flows.auto_top_up.agreeing import PAID, WAITING, month_start, surely_failed
from fairwatt.flows.household import part_in
from fairwatt.flows.merchants import Offer, Place, offers
from fairwatt.flows.start_top_up import OPEN_US, Payer, TopUpRefused, write_intent
from fairwatt.payments.contract import Method
from fairwatt.store import auto_top_up as rows
from fairwatt.store import facts, forecasts, notices
from fairwatt.store.models import PaymentIntent, Wallet, WalletHead

STALE_US: Final = 4 * US_PER_DAY
"""A forecast older than this says nothing about days."""
REVIEW_US: Final = 72 * US_PER_HOUR


def watch(*, book_id: int, now_us: int) -> int:
    """Look at every home of a book that has an agreement; how many payments were asked for."""
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        plans = rows.active_plans(cursor=cursor, book=book_id)
    return sum(_watch_one(book_id, plan.plan, now_us) for plan in plans)


@transaction.atomic(durable=True)
def _watch_one(book_id: int, plan_id: int, now_us: int) -> bool:
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        plan = rows.lock_plan(cursor=cursor, plan=plan_id)
        if plan is None or plan.state != "active":
            return False
        wallet = Wallet.objects.select_related("book").get(pk=plan.wallet)
        return _Look(cursor, plan, wallet, rows.terms_of(cursor=cursor, plan=plan_id), now_us).go()


@dataclass
class _Look:
    """One look at one home."""

    cursor: Any
    plan: rows.Plan
    wallet: Wallet
    terms: AutoTerms
    now_us: int

    def go(self) -> bool:
        """Whether a payment was asked for."""
        if part_in(wallet=self.wallet, user_id=self.plan.author, now_us=self.now_us) == "":
            self._end("moved_out")  # whoever agreed with his card lives there no more
            return False
        tries = self._fold()
        if self.plan.state == "ended":
            return False
        seen = self._seen(tries)
        decision = decide_auto(terms=self.terms, seen=seen, now_us=self.now_us)
        self._move(decision, seen)
        if decision.do is AutoDo.HOLD:
            self._hold(decision.reason, seen)
        return decision.do is AutoDo.TAKE and self._take(decision, seen)

    def _fold(self) -> list[rows.Try]:
        """What has become of what was tried: the history says it once, and failures are counted."""
        month_us = month_start(book=self.wallet.book, now_us=self.now_us)
        tries = rows.tries_of(cursor=self.cursor, plan=self.plan.plan, since_us=month_us)
        for one in tries:
            if one.noted == "paid" or (one.noted == "failed" and one.state not in PAID):
                continue
            if one.state in PAID:
                self._step("paid", one, reason="late" if one.noted else "")
                self._count(fails=0)
            elif surely_failed(one):
                self._step("failed", one, reason=one.detail)
                self._count(fails=self.plan.fails + 1)
                if self.plan.fails >= FAILS_MAX:
                    self._end("three_failures")
                    return []
                self._tell(Told.AUTO_FAILED, f"failed:{one.intent}", because=_because(one.detail))
        return tries

    def _step(self, step: str, one: rows.Try, *, reason: str) -> None:
        evidence = {"intent": one.intent, "our_ref": one.our_ref, "amount_minor": one.amount_minor}
        rows.add_step(
            cursor=self.cursor,
            plan=self.plan,
            step=step,
            reason=reason,
            fall=one.fall,
            evidence=evidence,
            now_us=self.now_us,
        )

    def _count(self, *, fails: int) -> None:
        self.plan = self.plan._replace(fails=fails)
        self._save()

    def _save(self) -> None:
        rows.move_plan(
            cursor=self.cursor,
            plan=self.plan.plan,
            below=self.plan.below,
            fall=self.plan.fall,
            fails=self.plan.fails,
        )

    def _seen(self, tries: list[rows.Try]) -> AutoSeen:
        head = WalletHead.objects.filter(wallet=self.wallet.pk).first()
        available = head.balance_micro if head else 0
        of_fall = [one for one in tries if one.fall == self.plan.fall]
        failed = [one for one in of_fall if surely_failed(one)]
        month_us = month_start(book=self.wallet.book, now_us=self.now_us)
        taken = [one for one in tries if one.at_us >= month_us and not surely_failed(one)]
        return AutoSeen(
            available_micro=available,
            left_us=self._left_us(available),
            below=self.plan.below,
            in_flight=self._in_flight(tries),
            answered=any(one.state in PAID for one in of_fall),
            tries=len(of_fall),
            failed_us=max((one.heard_us for one in failed), default=0),
            taken_times=len(taken),
            taken_minor=sum(one.amount_minor for one in taken),
        )

    def _left_us(self, available_micro: int) -> int | None:
        """How long credit lasts by the newest forecast."""
        book = self.wallet.book_id
        found = forecasts.newest(cursor=self.cursor, book=book, wallets=[self.wallet.pk]).get(self.wallet.pk)
        if found is None or found.made_us < self.now_us - STALE_US:
            return None
        mid_us = found.outlook.range(available_micro=available_micro, now_us=self.now_us).mid_us
        return None if mid_us is None else max(0, mid_us - self.now_us)

    def _in_flight(self, tries: list[rows.Try]) -> bool:
        """Whether money may be on its way into the home: by anybody, and by anything of ours whose end is not sure."""
        if any(one.state not in PAID and not surely_failed(one) for one in tries):
            return True
        mine = PaymentIntent.objects.filter(wallet=self.wallet)
        open_now = mine.filter(state__in=WAITING, created_us__gt=self.now_us - OPEN_US)
        looked_at = mine.filter(state="review", created_us__gt=self.now_us - REVIEW_US)
        return open_now.exists() or looked_at.exists()

    def _move(self, decision: AutoDecision, seen: AutoSeen) -> None:
        if decision.do is AutoDo.ROSE:
            self.plan = self.plan._replace(below=False)
            self._save()
            self._note("rose", "", seen)
        elif decision.fell:
            self.plan = self.plan._replace(below=True, fall=self.plan.fall + 1)
            self._save()
            self._note("fell", decision.reason, seen)

    def _note(self, step: str, reason: str, seen: AutoSeen, **more: Any) -> bool:
        evidence = {"available_micro": seen.available_micro, "left_us": seen.left_us, **more}
        return rows.add_step(
            cursor=self.cursor,
            plan=self.plan,
            step=step,
            reason=reason,
            evidence={name: value for name, value in evidence.items() if value is not None},
            now_us=self.now_us,
        )

    def _hold(self, reason: str, seen: AutoSeen) -> None:
        """Nothing is taken for this fall, and why: said once."""
        taken = {"taken_times": seen.taken_times, "taken_minor": seen.taken_minor}
        if self._note("held", reason, seen, **taken):
            self._tell(Told.AUTO_FAILED, f"held:{self.plan.plan}:{self.plan.fall}:{reason}", because=reason)

    def _take(self, decision: AutoDecision, seen: AutoSeen) -> bool:
        offer = self._offer()
        if offer is None:
            self._hold("way_closed", seen)
            return False
        attempt = 1 if decision.fell else seen.tries + 1
        try:
            intent = write_intent(
                wallet=self.wallet,
                amount_minor=self.terms.amount_minor,
                provider=offer.provider,
                user_id=self.plan.author,
                now_us=self.now_us,
                offer=offer,
                payer=Payer(language=self.plan.language),
            )
        except TopUpRefused:
            facts.see_book(cursor=self.cursor, book=self.wallet.book_id)
            self._hold("not_let_in", seen)
            return False
        facts.see_book(cursor=self.cursor, book=self.wallet.book_id)
        rows.add_try(
            cursor=self.cursor,
            plan=self.plan,
            fall=self.plan.fall,
            attempt=attempt,
            intent=intent.pk,
            now_us=self.now_us,
        )
        asked = {"intent": intent.pk, "our_ref": intent.our_ref, "amount_minor": intent.amount_minor}
        self._note("asked", decision.reason, seen, attempt=attempt, **asked)
        book = self.wallet.book
        micro = micro_from_minor(amount_minor=intent.amount_minor, minor_digits=book.minor_digits)
        self._tell(Told.AUTO, f"asked:{intent.pk}", amount_micro=micro, available_micro=seen.available_micro)
        return True

    def _offer(self) -> Offer | None:
        open_now = offers(book=self.wallet.book, place=Place.AGREEMENT)
        return next(
            (one for one in open_now if one.account == self.plan.account and one.method is Method.AUTO), None
        )

    def _end(self, reason: str) -> None:
        rows.end_plan(cursor=self.cursor, plan=self.plan.plan, now_us=self.now_us)
        rows.add_step(cursor=self.cursor, plan=self.plan, step="ended", reason=reason, now_us=self.now_us)
        self.plan = self.plan._replace(state="ended")
        # Who agreed has gone; whoever still lives there has to top up by hand from now on.
        gone = reason == "moved_out"
        self._tell(Told.AUTO_ENDED, f"ended:{self.plan.plan}", everybody=gone, because=reason)

    def _tell(self, step: Told, key: str, *, everybody: bool = False, **about: Any) -> None:
        """Tell who agreed, or everybody who lives there."""
        notices.add_notice(
            cursor=self.cursor,
            book=self.plan.book,
            wallet=self.plan.wallet,
            person=None if everybody else self.plan.author,
            step=step,
            key=f"auto:{key}",
            about=about,
            now_us=self.now_us,
        )


def _because(detail: str) -> str:
    return "needs_you" if detail == "authentication_required" else "declined"
