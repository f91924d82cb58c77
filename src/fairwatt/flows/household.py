"""Several people share a home: an owner invites by a code that is used once, members see and fill the account.

What changes who belongs to a home is a fact; the book's poster looks everything up again (posting/households.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.ids import household_key
from fairwatt.core.refusal import Refusal
from fairwatt.core.units import US_PER_DAY
from fairwatt.store import facts, household
from fairwatt.store.household import Invite
from fairwatt.store.intervals import note_deed
from fairwatt.store.models import Fact, Role, Tenancy, User, Wallet

LASTS_US: Final = 3 * US_PER_DAY
"""So long an invitation may be used."""
OPEN_MAX: Final = 5
NAME_MAX: Final = 80


class HouseholdRefused(Refusal):
    """It cannot be done so; nobody's access was changed."""

    code = "household_refused"


@dataclass(frozen=True, kw_only=True)
class Household:
    """Who shares a home, what this person is in it, and who is invited."""

    part: str
    people: tuple[Tenancy, ...]
    invites: tuple[Invite, ...]
    """open ones"""
    asked: tuple[tuple[str, str], ...]
    """(step, state) of what the poster was asked lately and has not done"""


@dataclass(frozen=True, kw_only=True)
class Invited:
    """What a code is for."""

    home: str
    site: str
    by: str
    expires_us: int
    lives_there: bool


def part_in(*, wallet: Wallet, user_id: int, now_us: int) -> str:
    """What somebody is in a home now: owner, member, or '' for nobody of it."""
    mine = Tenancy.objects.filter(wallet=wallet, user_id=user_id, start_us__lte=now_us)
    roles = set(mine.exclude(end_us__lte=now_us).values_list("role", flat=True))
    return "owner" if "owner" in roles else "member" if roles else ""


@transaction.atomic
def household_of(*, wallet: Wallet, user_id: int, now_us: int) -> Household:
    """Who shares a home, for somebody of it."""
    people = Tenancy.objects.filter(wallet=wallet, start_us__lte=now_us).exclude(end_us__lte=now_us)
    with connection.cursor() as cursor:
        _see(cursor, wallet)
        found = household.invites_of(cursor=cursor, book=wallet.book_id, wallet=wallet.pk)
        waiting = Fact.objects.filter(
            book=wallet.book_id, wallet=wallet.pk, kind="household", state="waiting"
        ).values_list("payload", "state")
        asked = tuple((str(payload.get("step", "")), str(state)) for payload, state in waiting)
    return Household(
        part=part_in(wallet=wallet, user_id=user_id, now_us=now_us),
        people=tuple(people.select_related("user").order_by("pk")),
        invites=tuple(one for one in found if not one.how and now_us < one.expires_us),
        asked=asked,
    )


@transaction.atomic(durable=True)
def invite(*, wallet_id: int, name: str, user_id: int, now_us: int, entropy: bytes) -> str:
    """Invite somebody into a home; return the code, which nobody can read again. Raises HouseholdRefused."""
    wallet = Wallet.objects.select_related("book").get(pk=wallet_id)
    _owner(wallet, user_id, now_us)
    said = name.strip().replace("\x00", "")
    code = household.code_of(entropy=entropy)
    with connection.cursor() as cursor:
        _see(cursor, wallet)
        found = household.invites_of(cursor=cursor, book=wallet.book_id, wallet=wallet.pk)
        if len(said) > NAME_MAX or sum(not one.how and now_us < one.expires_us for one in found) >= OPEN_MAX:
            raise HouseholdRefused(
                "At most %(most)d invitations are open at a time. Nobody was invited; take one back first.",
                most=OPEN_MAX,
            )
        made = household.add_invite(
            cursor=cursor,
            book=wallet.book_id,
            wallet=wallet.pk,
            author=user_id,
            digest=household.digest_of(code=code),
            name=said,
            now_us=now_us,
            expires_us=now_us + LASTS_US,
        )
        note_deed(
            cursor=cursor,
            book=wallet.book_id,
            kind="desk.home_invited",
            author=user_id,
            now_us=now_us,
            wallet=wallet.pk,
            evidence={"invite": made},
        )
    return code


@transaction.atomic(durable=True)
def withdraw_invite(*, wallet_id: int, invite_id: int, user_id: int, now_us: int) -> int:
    """Take an invitation back; return the fact. Raises HouseholdRefused."""
    wallet = Wallet.objects.get(pk=wallet_id)
    _owner(wallet, user_id, now_us)
    with connection.cursor() as cursor:
        _see(cursor, wallet)
        found = household.invite_of(cursor=cursor, invite=invite_id)
        if found is None or found.wallet != wallet.pk or found.how:
            raise HouseholdRefused("This invitation was used or taken back before. Nothing changed.")
        return _ask(cursor, wallet, "withdraw", invite_id, user_id, now_us, {"invite": invite_id})


@transaction.atomic(durable=True)
def leave_home(*, wallet_id: int, person_id: int, user_id: int, now_us: int) -> int:
    """Let a member leave, or an owner take a member out; return the fact. Raises HouseholdRefused."""
    wallet = Wallet.objects.get(pk=wallet_id)
    lives = Tenancy.objects.filter(wallet=wallet, user_id=person_id, role=Tenancy.Part.MEMBER)
    one = lives.exclude(end_us__lte=now_us).order_by("-pk").first()
    if one is None:
        raise HouseholdRefused(
            "This person is no member of the home. Nothing changed; an owner goes by moving out, at the desk."
        )
    if person_id != user_id:
        _owner(wallet, user_id, now_us)
    with connection.cursor() as cursor:
        _see(cursor, wallet)
        said = {"wallet": wallet.pk, "author": user_id}
        return _ask(cursor, wallet, "leave", one.pk, person_id, now_us, said)


@transaction.atomic
def look_at_code(*, code: str, user_id: int, now_us: int) -> Invited:
    """What a code is for. Raises HouseholdRefused for one that is unknown, used, taken back or too old."""
    with connection.cursor() as cursor:
        found = _by_code(cursor, code, now_us)
    wallet = Wallet.objects.select_related("unit__site").get(pk=found.wallet)
    by = User.objects.get(pk=found.author)
    return Invited(
        home=wallet.unit.label,
        site=wallet.unit.site.name,
        by=by.get_full_name() or by.get_username(),
        expires_us=found.expires_us,
        lives_there=bool(part_in(wallet=wallet, user_id=user_id, now_us=now_us)),
    )


@transaction.atomic(durable=True)
def join_home(*, code: str, user_id: int, now_us: int) -> Wallet:
    """Use a code: ask the poster to let this person in; return the home. Raises HouseholdRefused."""
    person = User.objects.filter(pk=user_id, role=Role.TENANT, is_active=True).first()
    if person is None:
        raise HouseholdRefused("Only residents join a home. Nothing changed.")
    with connection.cursor() as cursor:
        found = _by_code(cursor, code, now_us)
        wallet = Wallet.objects.get(pk=found.wallet)
        if part_in(wallet=wallet, user_id=user_id, now_us=now_us):
            raise HouseholdRefused("You belong to this home already. Nothing changed.")
        _ask(cursor, wallet, "join", found.invite, user_id, now_us, {"code": code})
    return wallet


def _by_code(cursor: Any, code: str, now_us: int) -> Invite:
    digest = household.digest_of(code=code[:80])
    household.see_invite(cursor=cursor, digest=digest)
    found = household.invite_by_code(cursor=cursor, digest=digest)
    if found is None or found.how or now_us >= found.expires_us:
        raise HouseholdRefused(
            "This code was used, taken back, or is too old. Nothing changed; ask who invited you for another."
        )
    return found


def _owner(wallet: Wallet, user_id: int, now_us: int) -> None:
    if part_in(wallet=wallet, user_id=user_id, now_us=now_us) != "owner":
        raise HouseholdRefused("Only an owner of the home does this. Nothing changed; ask one of them.")


def _ask(
    cursor: Any, wallet: Wallet, step: str, number: int, person: int, now_us: int, said: dict[str, Any]
) -> int:
    fact, _ = facts.add(
        cursor=cursor,
        book=wallet.book_id,
        kind="household",
        natural_key=household_key(step=step, number=number, person=person),
        wallet=wallet.pk,
        payload={"step": step, "person": person, **said},
        raw=b"",
        now_us=now_us,
    )
    return fact


def _see(cursor: Any, wallet: Wallet) -> None:
    """This home alone."""
    cursor.execute(
        "SELECT set_config('fairwatt.books', %s, true), set_config('fairwatt.wallets', %s, true)",
        [str(wallet.book_id), str(wallet.pk)],
    )
