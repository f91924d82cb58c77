"""How a person is reached: addresses given, proven and taken back, and what is chosen. Nobody is made to
send codes to others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.notices.model import MANNERS, Channel, Step
from fairwatt.core.notices.places import is_push_address
from fairwatt.core.notices.wording import LANGUAGES
from fairwatt.core.refusal import Refusal
from fairwatt.flows.notifying.hearing import normal_number
from fairwatt.flows.pacing import hold_pace
from fairwatt.store import contacts, facts, notices
from fairwatt.store.contacts import ContactRow
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import User, Wallet

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{80,100}={0,2}\.[A-Za-z0-9_-]{20,30}={0,2}")
"""A browser's two keys in base64url, as one text."""
CODE_US: Final = 600_000_000
GUESSES_MAX: Final = 5
CONTACTS_MAX: Final = 12
MAY_BE_SILENT: Final = tuple(step for step in (Step.DAYS, Step.LOW) if not MANNERS[step].safety)


class NotReached(Refusal):
    """An address cannot be used as asked; nothing was changed."""

    code = "not_reached"


@transaction.atomic(durable=True)
def give_address(
    *,
    wallet: Wallet,
    user: User,
    channel: str,
    address: str,
    digits: str,
    ip: str,
    language: str,
    now_us: int,
) -> int:
    """Note an address and send a code there that proves it; `digits` come from a face's dice.

    Raises NotReached, TooOften.
    """
    normal = normal_number(address) if channel == Channel.SMS else _mailbox(address)
    if channel not in (Channel.SMS, Channel.EMAIL) or normal is None:
        raise NotReached(
            "This is no phone number with its country, such as +86 138 0000 0000, and no mailbox. Nothing was sent."
        )
    organisation = wallet.book.organisation_id
    with connection.cursor() as cursor:
        contacts.hold_person(cursor=cursor, person=user.pk)
        mine = contacts.contacts(cursor=cursor, person=user.pk)
        if any(one.proven and (one.channel, one.address) == (channel, normal) for one in mine):
            raise NotReached("Messages go to this address already. Nothing was changed.")
        if len(mine) >= CONTACTS_MAX:
            raise NotReached(
                "So many addresses are noted that one has to be taken back first. Nothing was sent."
            )
        keys = {"to": normal, "person": str(user.pk), "ip": ip, "organisation": str(organisation)}
        hold_pace(cursor=cursor, keys=keys, now_us=now_us)
        for one in mine:
            if not one.proven and (one.channel, one.address) == (channel, normal):
                contacts.step_contact(
                    cursor=cursor, contact=one.id, person=user.pk, step="ended", now_us=now_us
                )
        number = contacts.add_contact(
            cursor=cursor,
            person=user.pk,
            channel=channel,
            address=normal,
            details={},
            proof=_digest(user.pk, normal, digits),
            now_us=now_us,
        )
        facts.see_book(cursor=cursor, book=wallet.book_id)
        about = {"contact": number, "channel": channel, "to": normal, "code": digits, "language": language}
        notices.add_notice(
            cursor=cursor,
            book=wallet.book_id,
            wallet=wallet.pk,
            person=user.pk,
            step=Step.CODE,
            key=f"code:{number}",
            about=about,
            now_us=now_us,
        )
    return number


@transaction.atomic(durable=True)
def note_address(*, user: User, channel: str, address: str, now_us: int) -> int:
    """Note an address that needs no code, because people know it is right: commissioning only. Raises NotReached.

    It leaves an event with each home of the person.
    """
    typed = address.strip()
    if channel == Channel.SMS:
        normal = normal_number(typed)
    elif channel == Channel.EMAIL:
        normal = _mailbox(typed)
    else:
        openid = (
            channel == Channel.WECHAT and typed.isascii() and typed.isprintable() and 20 <= len(typed) <= 40
        )
        normal = typed if openid else None
    if normal is None:
        raise NotReached("This is no address of that kind. Nothing was noted.")
    with connection.cursor() as cursor:
        contacts.see_person(cursor=cursor, person=user.pk)
        for one in contacts.contacts(cursor=cursor, person=user.pk):
            if one.proven and (one.channel, one.address) == (channel, normal):
                return one.id
        number = contacts.add_contact(
            cursor=cursor,
            person=user.pk,
            channel=channel,
            address=normal,
            details={},
            proof="",
            now_us=now_us,
        )
        for wallet_id, _ in contacts.wallets_of(cursor=cursor, person=user.pk, at_us=now_us):
            wallet = Wallet.objects.get(pk=wallet_id)
            _tell_the_others(cursor, wallet, user, number, masked(normal), now_us)
            note_deed(
                cursor=cursor,
                book=wallet.book_id,
                kind="desk.address_noted",
                author=None,
                now_us=now_us,
                wallet=wallet.pk,
                reason=channel,
                evidence={"contact": number},
            )
    return number


def prove_address(*, wallet: Wallet, user: User, contact_id: int, digits: str, now_us: int) -> None:
    """Show that a code was read; from now on the address is used. Raises NotReached; a wrong guess is counted."""
    if not _proven(wallet, user, contact_id, digits, now_us):
        raise NotReached(
            "This is not the code that was sent, or it is older than ten minutes. Ask for another one."
        )


@transaction.atomic(durable=True)
def _proven(wallet: Wallet, user: User, contact_id: int, digits: str, now_us: int) -> bool:
    with connection.cursor() as cursor:
        # Guesses that come at the same moment are counted one after the other.
        contacts.hold_person(cursor=cursor, person=user.pk)
        found = _mine(cursor, user, contact_id)
        if found.proven:
            return True
        if found.guesses >= GUESSES_MAX or now_us - found.added_us > CODE_US:
            return False
        said = "".join(one for one in digits if one.isdecimal())
        if found.proof != _digest(user.pk, found.address, said):
            contacts.step_contact(
                cursor=cursor, contact=found.id, person=user.pk, step="guessed", now_us=now_us
            )
            return False
        contacts.step_contact(cursor=cursor, contact=found.id, person=user.pk, step="proven", now_us=now_us)
        _tell_the_others(cursor, wallet, user, found.id, masked(found.address), now_us)
    return True


@transaction.atomic(durable=True)
def subscribe_push(*, wallet: Wallet, user: User, endpoint: str, p256dh: str, auth: str, now_us: int) -> int:
    """Note a browser that wants to show messages; the same one twice is one. Raises NotReached."""
    if len(endpoint) > 700 or not is_push_address(endpoint) or not _KEY.fullmatch(p256dh + "." + auth):
        raise NotReached("This browser gave no usable address for messages. Nothing was changed.")
    with connection.cursor() as cursor:
        contacts.hold_person(cursor=cursor, person=user.pk)
        mine = contacts.contacts(cursor=cursor, person=user.pk)
        for one in mine:
            if one.channel == Channel.PUSH and one.address == endpoint:
                return one.id
        if len(mine) >= CONTACTS_MAX:
            raise NotReached(
                "So many addresses are noted that one has to be taken back first. Nothing was changed."
            )
        number = contacts.add_contact(
            cursor=cursor,
            person=user.pk,
            channel=Channel.PUSH,
            address=endpoint,
            details={"p256dh": p256dh, "auth": auth},
            proof="",
            now_us=now_us,
        )
        _tell_the_others(cursor, wallet, user, number, "a browser", now_us)
    return number


@transaction.atomic(durable=True)
def take_back(*, user: User, contact_id: int, now_us: int) -> None:
    """No more messages go to an address. Raises NotReached."""
    with connection.cursor() as cursor:
        contacts.see_person(cursor=cursor, person=user.pk)
        found = _mine(cursor, user, contact_id)
        contacts.step_contact(cursor=cursor, contact=found.id, person=user.pk, step="ended", now_us=now_us)


@transaction.atomic(durable=True)
def choose(
    *, user: User, language: str, channels: Sequence[str], silent: Sequence[str], digest: bool, now_us: int
) -> None:
    """Note what a person wants. What is about safety goes out all the same; here is chosen by which way."""
    body = {
        "language": language if language in LANGUAGES else "",
        "channels": [one for one in Channel if one in channels and one is not Channel.STAFF],
        "silent": [step for step in MAY_BE_SILENT if step in silent],
        "digest": digest,
    }
    with connection.cursor() as cursor:
        contacts.see_person(cursor=cursor, person=user.pk)
        contacts.choose(cursor=cursor, person=user.pk, body=body, now_us=now_us)


def _tell_the_others(cursor: Any, wallet: Wallet, user: User, number: int, shown: str, now_us: int) -> None:
    """Whoever takes an account over adds an address: who was there before hears of it."""
    facts.see_book(cursor=cursor, book=wallet.book_id)
    notices.add_notice(
        cursor=cursor,
        book=wallet.book_id,
        wallet=wallet.pk,
        person=user.pk,
        step=Step.CONTACT,
        key=f"contact:{number}:{wallet.pk}",
        about={"address": shown, "contact": number},
        now_us=now_us,
    )


def _mine(cursor: Any, user: User, contact_id: int) -> ContactRow:
    for one in contacts.contacts(cursor=cursor, person=user.pk):
        if one.id == contact_id:
            return one
    raise NotReached("There is no such address of yours. Nothing was changed.")


def _mailbox(text: str) -> str | None:
    address = text.strip().lower()
    name, _, place = address.rpartition("@")
    good = name and "." in place and address.isascii() and address.isprintable() and len(address) <= 254
    return address if good and not any(one.isspace() or one in "<>,;\"'()" for one in address) else None


def masked(address: str) -> str:
    """An address as it may be shown to others: who knows it knows it again."""
    name, at, place = address.rpartition("@")
    if at:
        return f"{name[:1]}***@{place}"
    return f"{address[:-8]}****{address[-4:]}" if len(address) > 9 else "****"


def _digest(person: int, address: str, digits: str) -> str:
    return hashlib.sha256(f"fairwatt contact|{person}|{address}|{digits}".encode()).hexdigest()
