"""Bookkeeping and disputes in a scene, made by the real flows."""

from __future__ import annotations

import os
from typing import Any

from support.house import as_role
from web.scene import NOW_US, PASSWORD, Scene

SEQ = 7
MONTH = "2026-10"


def disputed(scene: Scene, *, seq: int = SEQ) -> Any:
    """A case about a charge of the first home, with one file; `case.shown` is its entry."""
    from fairwatt.flows.dispute import Evidence, add_to_dispute, open_dispute

    case = open_dispute(
        wallet_id=scene.wallets[0],
        line_seq=seq,
        reason="not_mine",
        words="I was away that day.",
        user_id=scene.owner.pk,
        now_us=NOW_US,
        entropy=os.urandom(10),
    )
    case.shown = add_to_dispute(  # type: ignore[attr-defined]
        dispute_id=case.pk,
        book_id=scene.book,
        words="The ticket of my train.",
        evidence=Evidence(name="ticket.pdf", content=b"%PDF-1.7 a ticket"),
        user_id=scene.owner.pk,
        now_us=NOW_US,
    )
    return case


def asked_back(scene: Scene, *, n: int = 0, amount_minor: int = 100, way: str = "window") -> int:
    """A refund of the n-th home that an operator asked for."""
    from fairwatt.flows.ask_refund import ask_refund
    from fairwatt.store.models import Book

    made = ask_refund(
        book=Book.objects.get(pk=scene.book),
        wallet_id=scene.wallets[n],
        user_id=scene.operator.pk,
        amount_minor=amount_minor,
        way=way,
        reason="Moves abroad, asked at the window",
        now_us=NOW_US,
    )
    return made[-1]


def administrator(scene: Scene) -> Any:
    """The person of the scene's organisation who may close and approve."""
    from fairwatt.store.models import User

    name = f"admin-{scene.slug}"
    found = User.objects.filter(username=name).first()
    if found is not None:
        return found
    with as_role("migrate"):
        return User.objects.create_user(
            name, None, PASSWORD, organisation=scene.site.book.organisation, role="admin"
        )


def close_month_of(scene: Scene) -> str:
    """Close the month before the story begins."""
    from fairwatt.flows.keep_books import close_month
    from fairwatt.reports.making import pack_of_month
    from fairwatt.store.models import Book

    pack = pack_of_month(book=Book.objects.get(pk=scene.book), month=MONTH, now_us=NOW_US)
    close_month(
        book_id=scene.book,
        month=MONTH,
        first_batch=pack.first_batch,
        last_batch=pack.last_batch,
        as_of_batch=pack.as_of_batch,
        digest=pack.digest,
        user_id=administrator(scene).pk,
        now_us=NOW_US,
    )
    return MONTH


def correcting(scene: Scene, *, reason: str, peak: str = "0.601") -> Any:
    """A correction of the scene's tariff that waits for another person."""
    from fairwatt.flows.correct_tariff import place_tariff_correction
    from fairwatt.store.models import Book, Role, User

    with as_role("migrate"):
        author, _ = User.objects.get_or_create(
            username=f"ada-{scene.book}",
            defaults={"organisation": Book.objects.get(pk=scene.book).organisation, "role": Role.ADMIN},
        )
        return place_tariff_correction(
            book_id=scene.book,
            slug="home",
            text=scene.tariff.replace('"0.568"', f'"{peak}"'),
            author=author.username,
            reason=reason,
            now_us=NOW_US,
        )
