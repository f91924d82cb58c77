"""Correct a tariff that was wrong in the past: place the right text, see who gains and who pays, confirm.

A published version is never rewritten. The correction is a publication of its own; old lines still name the one
they were charged under, and the difference is posted as correction lines (posting/correcting.py).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from django.db import connection, transaction

from fairwatt.core.rating.closing import NotLive, refuse_unchargeable
from fairwatt.core.rating.difference import first_difference_us
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.refusal import Refusal
from fairwatt.flows.posting.correction_moves import homes_of
from fairwatt.flows.posting.plans import Values, make_plan, values_under
from fairwatt.flows.posting.rerating import LIMITS
from fairwatt.flows.posting.site_rerating import Move, SiteRerating, differ_from, rerate_site
from fairwatt.store import facts
from fairwatt.store import registers as ledger
from fairwatt.store.corrections import COMPONENTS
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
        note = note.replace("\x00", "")
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
    readings = 0
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        charged = _charged_otherwise(book, plan, old_text, new_text)
        for start in range(0, len(charged), CHUNK):
            some = charged[start : start + CHUNK]
            change = _chunk(cursor, book, some)
            readings += int(change.readings.sum())
            for n, one in enumerate(some):
                differ = {}
                for component in COMPONENTS:
                    was, is_ = change.total(component, n)
                    differ[component] = (is_ - was) // LIMITS[component]
                for component, micro in differ.items():
                    sums[component] += micro
                by_home.append((one.home.unit.label, sum(differ.values())))
                if one.home.closed_us is not None:
                    departed.append(by_home[-1])
    first_us = min((one.from_us for one in charged), default=0)
    return replace(_summed(first_us, readings, sums, by_home), departed=tuple(departed))


@dataclass(frozen=True, kw_only=True)
class _Charged:
    """A home whose prices change, from its first changed price on."""

    home: Installation
    move: Move
    from_us: int


def _charged_otherwise(book: Book, plan: TariffPlan, old_text: str, new_text: str) -> list[_Charged]:
    """Homes that the texts charge differently, each by its own parameters; those long gone are left out."""
    homes = homes_of(plan.pk)
    old, new = parse_schedule(old_text), parse_schedule(new_text)
    was, is_ = (values_under(book=book, homes=homes, schedule=schedule) for schedule in (old, new))
    groups: dict[tuple[Values, Values], list[Installation]] = {}
    for home in homes:
        groups.setdefault((was[home.pk], is_[home.pk]), []).append(home)
    moves: dict[int, Move] = {}
    for (before, after), mine in groups.items():
        since_us = min(home.opened_us for home in mine)
        move = (
            make_plan(plan=plan.pk, schedule=old, values=before, since_us=since_us),
            make_plan(plan=plan.pk, schedule=new, values=after, since_us=since_us),
        )
        moves |= {home.pk: move for home in mine}
    changed = zip(homes, differ_from([moves[home.pk] for home in homes]), strict=True)
    return [
        _Charged(home=home, move=moves[home.pk], from_us=from_us)
        for home, from_us in changed
        if from_us is not None and (home.closed_us is None or home.closed_us > from_us)
    ]


def _chunk(cursor: Any, book: Book, some: list[_Charged]) -> SiteRerating:
    installations = [one.home.pk for one in some]
    starts = ledger.starts_before(
        cursor=cursor,
        book=book.pk,
        installations=installations,
        before_us=[one.from_us + 1 for one in some],
    )
    cursor.execute(
        "SELECT (extract(epoch FROM max(ts)) * 1000000)::bigint FROM line WHERE book = %s", [book.pk]
    )
    (newest,) = cursor.fetchone()
    return rerate_site(
        cursor=cursor,
        book=book.pk,
        zone=book.zone,
        installations=np.array(installations, dtype=np.int64),
        modulus_wh=np.array([one.home.meter.modulus_wh for one in some], dtype=np.int64),
        starts=starts,
        moves=[one.move for one in some],
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
