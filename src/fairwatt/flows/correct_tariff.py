"""Correct a tariff that was wrong in the past: place the right text, see who gains and who pays, confirm.

A published version is never rewritten. The correction is a publication of its own; old lines still name the one
they were charged under, and the difference is posted as correction lines (posting/correcting.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from django.db import connection, transaction

from fairwatt.core.rating.closing import NotLive, refuse_unchargeable
from fairwatt.core.rating.difference import first_difference_us
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.refusal import Refusal
from fairwatt.flows.posting.book_state import Plan
from fairwatt.flows.posting.correction_moves import homes_of
from fairwatt.flows.posting.plans import Values, make_plan, values_under
from fairwatt.flows.posting.rerating import COMPONENTS, LIMITS
from fairwatt.flows.posting.site_rerating import SiteChange, differ_from_us, rerate_site
from fairwatt.store import facts
from fairwatt.store import registers as ledger
from fairwatt.store.models import (
    Book,
    Installation,
    Role,
    TariffCorrection,
    TariffPlan,
    TariffPublication,
    User,
)

CHUNK: Final = 1_000
"""Registers rated at once: a month of half hours of so many fits well into memory, and the ledger is read once."""
BANDS_MICRO: Final = (-100_000_000, -10_000_000, -1_000_000, 0, 1_000_000, 10_000_000, 100_000_000)
_LISTED: Final = 20


class CannotPlace(ValueError):
    """A tariff correction that would not be right; nothing was placed and nobody is charged differently."""


class CannotConfirm(Refusal):
    """A confirmation that does not count; nothing moved."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a correction comes to if it is posted now: micro-units that homes pay (above zero) or get back.

    `bands` counts homes by what changes for each: up to each of `BANDS_MICRO`, and above the last. `most` lists
    the homes that change most as (home, micro-units); `departed` those of all that were closed after the first changed
    price, in the same form: their difference is posted to the wallet they left, and a person settles it with them.
    """

    from_us: int
    registers: int
    readings: int
    paying: int
    gaining: int
    energy_micro: int
    standing_micro: int
    tax_micro: int
    pays_micro: int
    gains_micro: int
    bands: tuple[int, ...]
    most: tuple[tuple[str, int], ...]
    departed: tuple[tuple[str, int], ...] = ()

    @property
    def total_micro(self) -> int:
        """What all homes together pay more (above zero) or less."""
        return self.energy_micro + self.standing_micro + self.tax_micro


def place_tariff_correction(
    *, book_id: int, slug: str, text: str, author: str, reason: str, now_us: int
) -> TariffCorrection:
    """Place the right text of a tariff and work out what it changes; somebody else confirms it.

    For the role that commissions. Raises TariffFileError for a bad text and CannotPlace with the next step.
    """
    if not author.strip() or not reason.strip():
        raise CannotPlace("A correction needs its author and a reason; nothing was placed.")
    schedule = parse_schedule(text)
    book = Book.objects.get(pk=book_id)
    person = User.objects.filter(
        username=author.strip(),
        organisation=book.organisation_id,
        is_active=True,
        role__in=(Role.OPERATOR, Role.ADMIN),
    ).first()
    if person is None:
        raise CannotPlace(
            f"Nobody called {author.strip()} works for the company of book {book.slug}, and two known people answer "
            "for a correction; nothing was placed. Give the name with which the author signs in."
        )
    plan = TariffPlan.objects.filter(book=book, slug=slug).first()
    newest = TariffPublication.objects.filter(plan=plan).order_by("-pk").first() if plan else None
    if plan is None or newest is None:
        raise CannotPlace(f"Book {book.slug} has no published tariff {slug}; nothing was placed.")
    before = parse_schedule(newest.text)
    if (schedule.currency, schedule.zone) != (before.currency, before.zone):
        raise CannotPlace(
            f"The text names {schedule.currency} and {schedule.zone}, tariff {slug} is in {before.currency} and "
            f"{before.zone}; nothing was placed. Correct the prices, not the currency or the zone."
        )
    if schedule.conversion != before.conversion:
        raise CannotPlace(
            f"The text turns metered litres into kWh in another way than tariff {slug} does, so it changes what was "
            "used and not what it costs; nothing was placed. Give money back by a ruling instead."
        )
    if first_difference_us(before, schedule) is None:
        raise CannotPlace(f"The text says what tariff {slug} says already; nothing was placed.")
    opened = Installation.objects.filter(plan=plan).order_by("opened_us").first()
    if opened is not None and not schedule.covers(at_us=opened.opened_us):
        raise CannotPlace(
            "The text has no price for the day the first home was opened, so it cannot replace what was charged "
            "since; nothing was placed. Keep the versions from the beginning and change the wrong one."
        )
    try:
        refuse_unchargeable(schedule, since_us=opened.opened_us if opened else None)
    except NotLive as error:
        raise CannotPlace(f"The text cannot be charged live: {error}. Nothing was placed.") from error
    with transaction.atomic(durable=True):
        preview = preview_correction(book=book, plan=plan, old_text=newest.text, new_text=text)
        return TariffCorrection.objects.create(
            book=book,
            plan=plan,
            replaces=newest,
            text=text,
            author=person.username,
            reason=reason.strip(),
            placed_us=now_us,
            preview={**asdict(preview), "author_id": person.pk},
        )


def confirm_tariff_correction(*, correction_id: int, user: User, note: str, now_us: int) -> int:
    """Confirm a placed correction as another person than its author; return the fact that the poster answers.

    Confirming twice is confirming once. Raises CannotConfirm.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        row = TariffCorrection.objects.select_related("book").get(pk=correction_id)
        if user.organisation_id != row.book.organisation_id or user.role != "admin":
            raise CannotConfirm("Only an administrator of this company confirms a correction; nothing moved.")
        if user.pk == row.preview.get("author_id") or user.username == row.author:
            raise CannotConfirm("Who placed a correction cannot confirm it as well; ask somebody else.")
        if not note.strip():
            raise CannotConfirm("Say why this correction is right; nothing moved.")
        fact, _ = facts.add(
            cursor=cursor,
            book=row.book_id,
            kind="tariff_correction",
            natural_key=f"tariff_correction:{row.pk}",
            wallet=None,
            payload={"correction": row.pk, "confirmed_by": user.pk, "note": note.strip()[:300]},
            raw=b"",
            now_us=now_us,
        )
    return fact


def preview_correction(*, book: Book, plan: TariffPlan, old_text: str, new_text: str) -> Preview:
    """Rate every register of a plan under both texts; nothing is written. Inside a transaction."""
    sums = dict.fromkeys(COMPONENTS, 0)
    by_home: list[tuple[str, int]] = []
    departed: list[tuple[str, int]] = []
    readings, first_us = 0, 0
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        for mine, old, new in _alike(book, plan, old_text, new_text):
            from_us = differ_from_us(old=old.schedule, new=new.schedule)
            homes = [home for home in mine if home.closed_us is None or home.closed_us > (from_us or 0)]
            if from_us is not None:
                first_us = min(first_us or from_us, from_us)
            for start in range(0, len(homes) if from_us is not None else 0, CHUNK):
                some = homes[start : start + CHUNK]
                change = _chunk(cursor, book, some, old, new, from_us or 0)
                readings += int(change.readings.sum())
                for n, home in enumerate(some):
                    differ = {c: (change.new[c][n] - change.old[c][n]) // LIMITS[c] for c in COMPONENTS}
                    for component, micro in differ.items():
                        sums[component] += micro
                    by_home.append((home.unit.label, sum(differ.values())))
                    if home.closed_us is not None:
                        departed.append(by_home[-1])
    return replace(_summed(first_us, readings, sums, by_home), departed=tuple(departed))


def _alike(
    book: Book, plan: TariffPlan, old_text: str, new_text: str
) -> Iterator[tuple[list[Installation], Plan, Plan]]:
    """Homes whose parameters make the same prices of both texts, with these prices."""
    homes = homes_of(plan.pk)
    old, new = parse_schedule(old_text), parse_schedule(new_text)
    was, is_ = (values_under(book=book, homes=homes, schedule=schedule) for schedule in (old, new))
    groups: dict[tuple[Values, Values], list[Installation]] = {}
    for home in homes:
        groups.setdefault((was[home.pk], is_[home.pk]), []).append(home)
    for (before, after), mine in groups.items():
        since_us = min(home.opened_us for home in mine)
        yield (
            mine,
            make_plan(plan=plan.pk, schedule=old, values=before, since_us=since_us),
            make_plan(plan=plan.pk, schedule=new, values=after, since_us=since_us),
        )


def _chunk(cursor: Any, book: Book, some: list[Installation], old: Any, new: Any, from_us: int) -> SiteChange:
    starts = [
        ledger.start_before(cursor=cursor, book=book.pk, installation=home.pk, before_us=from_us + 1)
        or ledger.opening_of(cursor=cursor, installation=home.pk)
        for home in some
    ]
    cursor.execute(
        "SELECT (extract(epoch FROM max(ts)) * 1000000)::bigint FROM line WHERE book = %s", [book.pk]
    )
    (newest,) = cursor.fetchone()
    return rerate_site(
        cursor=cursor,
        book=book.pk,
        zone=book.zone,
        installations=np.array([home.pk for home in some], dtype=np.int64),
        modulus_wh=np.array([home.meter.modulus_wh for home in some], dtype=np.int64),
        starts=starts,
        old=old,
        new=new,
        until_us=max(int(newest or 0), max(start.at_us for start in starts)),
        by_day=False,
    )


def _summed(from_us: int, readings: int, sums: dict[str, int], by_home: list[tuple[str, int]]) -> Preview:
    amounts = [micro for _, micro in by_home]
    bands = [0] * (len(BANDS_MICRO) + 1)
    for micro in amounts:
        bands[sum(micro > bound for bound in BANDS_MICRO)] += 1
    return Preview(
        from_us=from_us,
        registers=len(by_home),
        readings=readings,
        paying=sum(micro > 0 for micro in amounts),
        gaining=sum(micro < 0 for micro in amounts),
        energy_micro=sums["energy"],
        standing_micro=sums["standing"],
        tax_micro=sums["tax"],
        pays_micro=sum(micro for micro in amounts if micro > 0),
        gains_micro=-sum(micro for micro in amounts if micro < 0),
        bands=tuple(bands),
        most=tuple(sorted(by_home, key=lambda pair: -abs(pair[1]))[:_LISTED]),
    )
