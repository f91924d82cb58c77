"""Homes that change hands: what the desk asks for, as the web writes it down."""

from __future__ import annotations

from typing import Any

from support.desk import Desk
from support.house import as_role


def clerk_of(desk: Desk, role: str = "operator") -> Any:
    """A person at the desk of the street's organisation."""
    from fairwatt.store.models import User

    with as_role("migrate"):
        found = User.objects.filter(organisation=desk.street.site.book.organisation, role=role).first()
        return found or User.objects.create_user(
            f"{role}-{desk.street.site.book.slug}",
            None,
            "x",
            organisation=desk.street.site.book.organisation,
            role=role,
        )


def ask(desk: Desk, kind: str, *, wallet: int, at_us: int, now_us: int, unit: int = 0, **changes: Any) -> int:
    """Write down a move as the web does; return the fact."""
    from django.db import connection, transaction

    from fairwatt.store import facts
    from fairwatt.store.models import Installation

    author = clerk_of(desk).pk
    unit = unit or Installation.objects.get(wallet=wallet, closed_us__isnull=True).unit_id
    payload = {
        "kind": kind,
        "unit": unit,
        "wallet": wallet,
        "at_us": at_us,
        "author": author,
        "entropy": "0123456789abcdef0123",
        **changes,
    }
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        fact, _ = facts.add(
            cursor=cursor,
            book=desk.street.book,
            kind="move",
            natural_key=f"move:{unit}:{wallet}:{at_us}",
            wallet=wallet,
            payload=payload,
            raw=b"",
            now_us=now_us,
        )
    return fact


def follow(desk: Desk, *, now_us: int) -> None:
    """Let the poster go on until nothing waits, reading its configuration again where it must."""
    from fairwatt.flows.posting.loading import load_book

    for _ in range(9):
        result = desk.post(now_us=now_us)
        if result.reload:
            desk.state = load_book(book=desk.street.book, now_us=now_us)
            desk.post(now_us=now_us, regrant=result.regrant)
        elif not result.facts_wait:
            return
    raise AssertionError("the poster does not come to an end")
