"""A person wishes something of meters or gateways, pauses it, lets it go on, stops it, or says that it is meant.

Nothing here orders a meter: the poster's own process signs, and it asks for a second person where many would go dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.flows.desk import DeskRefused, NotAllowed, NotFound, acting
from fairwatt.store import facts, pushes
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Book, Gateway, Installation, Role
from fairwatt.wire.errors import FrameError
from fairwatt.wire.standing import (
    GATEWAY,
    GATEWAY_SLOTS,
    Slot,
    body_from_obj,
    body_to_obj,
)

SLOTS: Final = {slot.name.lower(): slot for slot in Slot}
KINDS: Final = ("supply", *(name for name in SLOTS if name != "watch"))
"""What a person may wish here; what meters are watched for is set in `set_alarms`."""
WORDS_MAX: Final = 400
CANARY_PM: Final = 50
"""One in twenty is tried first, unless something else is asked."""
STEPS: Final = ("pause", "resume", "stop", "approve")


class BadWish(DeskRefused):
    """The wish cannot be used as it was written."""

    code = "bad_wish"


class WrongStep(DeskRefused):
    """The push is not where this step could be taken."""

    code = "wrong_step"


def obj_of(*, kind: str, wish: dict[str, Any], gateway: str) -> list[object]:
    """The body of a command from a wish as people write it. Raises BadWish."""
    try:
        match kind, wish:
            case "limit_power", {"limit_w": limit}:
                obj: list[object] = [limit]
            case "set_clock", {"within_s": within}:
                obj = [within]
            case "show_prices", {"version": version, "prices": dict(prices)}:
                obj = [version, [[str(name), micro] for name, micro in prices.items()]]
            case "trust_issuer", {"kid": str(kid), "public": str(public)}:
                retire = wish.get("retire")
                obj = [
                    gateway,
                    bytes.fromhex(kid),
                    bytes.fromhex(public),
                    None if retire is None else bytes.fromhex(str(retire)),
                ]
            case "configure", dict(settings) if settings:
                obj = [gateway, dict(settings)]
            case _:
                raise BadWish(
                    "A wish of kind %(kind)s is not written like this. Nothing was ordered; see the guide.",
                    kind=kind,
                )
        slot = SLOTS[kind]
        meter = GATEWAY if slot in GATEWAY_SLOTS else 1
        return body_to_obj(body_from_obj(kind=int(slot), meter=meter, value=obj))
    except (FrameError, ValueError) as error:
        raise BadWish("The wish cannot be used: %(why)s. Nothing was ordered.", why=str(error)) from None


@transaction.atomic(durable=True)
def start_push(
    *,
    book_id: int,
    kind: str,
    wish: dict[str, Any],
    words: str,
    user_id: int,
    now_us: int,
    meters: Sequence[int] | None = None,
    canary_pm: int = CANARY_PM,
) -> int:
    """Write a wish down for some meters (their numbers), or for all of the book; return the push.

    Kinds for gateways take the gateways of those meters. Raises NotAllowed, NotFound, BadWish.
    """
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    if kind not in KINDS or not 0 <= canary_pm <= 1000:
        raise BadWish(
            "There is no wish of kind %(kind)s, or its share cannot be. Nothing was ordered.", kind=kind[:30]
        )
    said = words.strip()
    if not 0 < len(said) <= WORDS_MAX:
        raise BadWish("Write why, in at most %(most)d letters. Nothing was ordered.", most=WORDS_MAX)
    if kind == "supply":
        if wish not in ({"relay": "open"}, {"relay": "closed"}):
            raise BadWish("A wish for supply says relay open or closed. Nothing was ordered.")
    else:
        obj_of(kind=kind, wish=wish, gateway="any")
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        targets = _targets(book, kind, meters)
        push = pushes.add_push(
            cursor=cursor,
            book=book.pk,
            kind=kind,
            wish=wish,
            words=said,
            canary_pm=canary_pm,
            author=person.pk,
            targets=targets,
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.push_started",
            author=person.pk,
            now_us=now_us,
            reason=kind,
            evidence={"push": push, "targets": len(targets), "wish": wish},
        )
    return push


def _targets(book: Book, kind: str, meters: Sequence[int] | None) -> list[tuple[int, int]]:
    homes = Installation.objects.filter(wallet__book=book, closed_us__isnull=True).select_related("meter")
    known = {home.meter.number: home.meter.gateway_id for home in homes.order_by("meter__number")}
    chosen = list(dict.fromkeys(known if meters is None else meters))
    missing = [number for number in chosen if number not in known]
    if missing:
        raise NotFound(
            "Meter %(meter)s feeds no home of book %(book)s. Nothing was ordered; check the number.",
            meter=missing[0],
            book=book.slug,
        )
    if not chosen:
        raise NotFound("Book %(book)s has no meter that feeds a home. Nothing was ordered.", book=book.slug)
    if kind != "supply" and SLOTS[kind] in GATEWAY_SLOTS:
        if meters is None:
            return [
                (pk, GATEWAY)
                for pk in Gateway.objects.filter(site__book=book).order_by("pk").values_list("pk", flat=True)
            ]
        return [(gateway, GATEWAY) for gateway in dict.fromkeys(known[number] for number in chosen)]
    return [(known[number], number) for number in chosen]


@transaction.atomic(durable=True)
def step_push(*, book_id: int, push_id: int, step: str, words: str, user_id: int, now_us: int) -> pushes.Push:
    """Pause, resume, stop or approve; the same again changes nothing. Raises NotAllowed, NotFound, WrongStep."""
    book = Book.objects.get(pk=book_id)
    person = acting(user_id=user_id, book=book)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        found = pushes.pushes(book=book.pk, push=push_id)
        if not found:
            raise NotFound("There is no such push in this book. Nothing was changed.")
        push = found[0]
        allowed = {
            "pause": ("running",),
            "resume": ("paused", "held"),
            "stop": ("running", "paused", "held", "asking"),
            "approve": ("asking",),
        }.get(step, ())
        if push.state not in allowed:
            raise WrongStep(
                "This push is %(state)s, so it cannot %(step)s. Nothing was changed.",
                state=push.state,
                step=step[:20],
            )
        if step == "approve" and (person.role != Role.ADMIN or person.pk == push.author):
            raise NotAllowed(
                "Many homes would go dark: an administrator who did not ask for it must say that it is meant. "
                "Nobody was cut."
            )
        pushes.add_step(
            cursor=cursor,
            book=book.pk,
            push=push.id,
            step=step,
            author=person.pk,
            words=words.strip()[:WORDS_MAX],
            now_us=now_us,
        )
        note_deed(
            cursor=cursor,
            book=book.pk,
            kind="desk.push_stepped",
            author=person.pk,
            now_us=now_us,
            reason=step,
            evidence={"push": push.id, "words": words.strip()[:WORDS_MAX]},
        )
        return pushes.pushes(book=book.pk, push=push_id)[0]
