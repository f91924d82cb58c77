"""A back-test in a book: the readings of a plan's meters, the top-ups of their wallets, the tariff in force there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fairwatt.core.credit.policy import policy_from_obj
from fairwatt.core.insight.backtest import NotComparable, Trial, back_test, counted_since
from fairwatt.core.insight.cut_sooner import WalletPast
from fairwatt.core.insight.past_use import NothingUsed, PastUse, of_readings
from fairwatt.core.insight.try_tariff import Dates
from fairwatt.core.rating.model import NoTariff, Schedule, TariffError
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import Span
from fairwatt.core.units import US_PER_DAY
from fairwatt.reports.asking import Reading
from fairwatt.reports.backtest import Draft, contents_of
from fairwatt.reports.model import CannotAsk, Contents
from fairwatt.store.models import Installation, TariffPlan, TariffPublication
from fairwatt.store.past_readings import opening_balances, other_moves, register_totals

_LOOK_ROUND_US = 35 * US_PER_DAY
"""How far beyond the period the reading before its first and after its last one is looked for."""


@dataclass(frozen=True, kw_only=True)
class BookTrial:
    """What is asked of a book: which draft, against which of its plans (none named: its only one)."""

    draft: Draft
    plan: str = ""
    dates: Dates = "auto"

    def __call__(self, asked: Reading) -> Contents:
        """Try the draft within the snapshot. Raises CannotAsk where it cannot be."""
        plan, schedule = self._in_force(asked)
        span = Span(asked.ask.start_us, min(asked.ask.end_us, asked.as_of_us))
        try:
            trial = _trial(asked, plan, span, schedule, self)
        except NoTariff as error:
            raise CannotAsk(
                "A tariff has no price for a part of this period, so the draft cannot be tried. Nothing was changed; "
                "choose a shorter period, or dates on which both tariffs hold."
            ) from error
        except (NotComparable, NothingUsed, TariffError) as error:
            raise CannotAsk("The draft cannot be tried: %(why)s. Nothing was changed.", why=error) from error
        return contents_of(trial=trial, draft=self.draft, against=f"{plan.name} ({plan.slug})")

    def _in_force(self, asked: Reading) -> tuple[TariffPlan, Schedule]:
        plans = {
            plan.slug: plan for plan in TariffPlan.objects.filter(book_id=asked.book.pk).order_by("slug")
        }
        if self.plan not in plans and (self.plan or len(plans) != 1):
            raise CannotAsk(
                "This book has %(many)s tariff plans: %(plans)s. Name the one that the draft would replace.",
                many=len(plans),
                plans=", ".join(plans) or "-",
            )
        plan = plans[self.plan or next(iter(plans))]
        published = TariffPublication.objects.filter(plan=plan, published_us__lte=asked.as_of_us)
        newest = published.order_by("-pk").first()
        if newest is None:
            raise CannotAsk(
                "Nothing was published under “%(plan)s” by then, so nothing was in force. Choose a later period.",
                plan=plan.slug,
            )
        return plan, parse_schedule(newest.text)


def _trial(asked: Reading, plan: TariffPlan, span: Span, current: Schedule, question: BookTrial) -> Trial:
    draft = question.draft.schedule
    since_us = min(counted_since(schedule=side, span=span) for side in (current, draft))
    installed = list(
        Installation.objects.filter(plan=plan, opened_us__lt=span.end_us)
        .exclude(closed_us__lte=span.start_us)
        .select_related("meter", "wallet__policy", "unit__site")
        .order_by("unit__site__name", "unit__label", "wallet_id", "pk")
    )
    wallets = list({row.wallet_id: row for row in installed}.values())
    use = _use(asked, installed, wallets, since_us, span)
    if use is None:
        raise NothingUsed("no meter of this plan was read in the period; choose another")
    pasts = _pasts(asked, installed, wallets, span)
    return back_test(use=use, span=span, current=current, draft=draft, dates=question.dates, wallets=pasts)


def _use(
    asked: Reading, installed: list[Installation], wallets: list[Installation], since_us: int, span: Span
) -> PastUse | None:
    """The readings of the installations as columns, from where the counters begin."""
    from_us = max(0, since_us - _LOOK_ROUND_US)
    totals = register_totals(
        cursor=asked.cursor,
        book=asked.book.pk,
        installations=[row.pk for row in installed],
        from_us=from_us,
        until_us=span.end_us + _LOOK_ROUND_US,
        until_batch=asked.as_of,
    )
    place = {row.wallet_id: n for n, row in enumerate(wallets)}
    at, total, register = [], [], []
    known = [row for row in installed if row.pk in totals]
    for n, row in enumerate(known):
        instants, wh = totals[row.pk]
        if row.opened_us >= from_us:
            later = instants > row.opened_us
            instants = np.concatenate([[row.opened_us], instants[later]])
            wh = np.concatenate([[row.opening_wh], wh[later]])
        at.append(instants)
        primary, secondary = (
            row.transformer
        )  # what was billed, whatever the register counts behind transformers
        total.append(wh * primary // secondary)
        register.append(np.full(len(wh), n, dtype=np.int64))
    if not known:
        return None
    several = len({row.unit.site_id for row in wallets}) > 1
    return of_readings(
        register=np.concatenate(register),
        at=np.concatenate(at).astype(np.int64),
        total_wh=np.concatenate(total).astype(np.int64),
        modulus_wh=np.array(
            [row.meter.modulus_wh * row.transformer[0] // row.transformer[1] for row in known], dtype=np.int64
        ),
        counter_wh=np.array(
            [row.opening_counter_wh if row.opened_us >= from_us else 0 for row in known], dtype=np.int64
        ),
        home_of=np.array([place[row.wallet_id] for row in known], dtype=np.int64),
        homes=tuple(
            f"{row.unit.site.name}, {row.unit.label}" if several else row.unit.label for row in wallets
        ),
    )


def _pasts(
    asked: Reading, installed: list[Installation], wallets: list[Installation], span: Span
) -> Mapping[int, WalletPast]:
    """What moved each wallet besides use. One that also pays for a meter of another plan has no story here."""
    elsewhere = set(
        Installation.objects.filter(wallet__in=[row.wallet_id for row in wallets], opened_us__lt=span.end_us)
        .exclude(closed_us__lte=span.start_us)
        .exclude(pk__in=[row.pk for row in installed])
        .values_list("wallet_id", flat=True)
    )
    feeding = {row.wallet_id for row in installed if row.meter.feeds_gateway}
    found = {"cursor": asked.cursor, "book": asked.book.pk, "until_batch": asked.as_of}
    opening = opening_balances(at_us=span.start_us, **found)
    moves = other_moves(from_us=span.start_us, until_us=span.end_us, **found)
    return {
        n: WalletPast(
            opening_micro=opening.get(row.wallet_id, 0),
            moves=moves.get(row.wallet_id, []),
            policy=policy_from_obj(row.wallet.policy.body),
            protected=row.wallet.protected,
            feeds_gateway=row.wallet_id in feeding,
        )
        for n, row in enumerate(wallets)
        if row.wallet_id not in elsewhere
    }
