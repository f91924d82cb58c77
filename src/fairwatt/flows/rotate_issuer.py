"""Another key for the orders of the head-end: offered to every gateway, and who obeys it."""

from __future__ import annotations

from typing import Any, NamedTuple

from fairwatt.flows.ask_push import start_push
from fairwatt.store import pushes
from fairwatt.store.models import Book, Gateway, Shard


class Obeys(NamedTuple):
    """A gateway, and the issuers that it said last it obeys; None: it was never asked."""

    book: int
    gateway: str
    kids: frozenset[str] | None


def who_obeys(*, book: int) -> list[Obeys]:
    """The gateways of a book in order of their names. Ask it as somebody who may see the book."""
    said = pushes.reported_issuers(book=book)
    rows = Gateway.objects.filter(site__book=book).order_by("slug")
    return [Obeys(book, row.slug, said.get(row.pk)) for row in rows]


def is_offered(*, book: int, wish: dict[str, Any]) -> bool:
    """Whether this wish is on its way to the gateways of a book."""
    return any(
        push.kind == "trust_issuer" and push.wish == wish for push in pushes.pushes(book=book, only_open=True)
    )


def offer_issuer(*, book: int, wish: dict[str, Any], words: str, user_id: int, now_us: int) -> int:
    """Wish that every gateway of a book obeys another key, or stops obeying one; return the push.

    Raises what `start_push` raises.
    """
    return start_push(
        book_id=book, kind="trust_issuer", wish=wish, words=words, user_id=user_id, now_us=now_us
    )


def organisation_of(*, book: int) -> int:
    """Whose book it is."""
    return int(Book.objects.get(pk=book).organisation_id)


def poster_starts() -> dict[int, int]:
    """By book: a number that rises with every start of its head-end."""
    return {row.book: int(row.epoch) for row in Shard.objects.order_by("book")}
