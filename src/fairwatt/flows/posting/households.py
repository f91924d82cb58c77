"""People join a home by an invitation, leave it, or are taken out of it: all looked up here, whoever wrote the fact."""

from __future__ import annotations

from typing import Any

from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.store import household, moves
from fairwatt.store.posting import EventRow, FactAnswer


def post_household(bench: Bench, about: dict[str, Any]) -> PostedFacts:
    """One step of a household, or a refusal by name."""
    match about:
        case {"step": "join", "code": str(code), "person": int(person)}:
            return _join(bench, code, person)
        case {"step": "withdraw", "invite": int(invite), "person": int(person)}:
            return _withdraw(bench, invite, person)
        case {"step": "leave", "wallet": int(wallet), "person": int(person), "author": int(author)}:
            return _leave(bench, wallet, person, author)
        case _:
            return refuse_fact(bench, "unknown_kind", "the content of this fact is not what a household says")


def _join(bench: Bench, code: str, person: int) -> PostedFacts:
    cursor, book = bench.cursor, bench.state.book
    found = household.invite_by_code(cursor=cursor, digest=household.digest_of(code=code))
    if found is None or found.book != book or found.how or bench.now_us >= found.expires_us:
        return refuse_fact(bench, "no_such_invite", "this invitation was used, taken back, or is too old")
    if household.part_of(cursor=cursor, wallet=found.wallet, person=found.author) != "owner":
        return refuse_fact(bench, "not_an_owner", "who invited is no owner of this home any more")
    if not moves.residents(cursor=cursor, users=[person]):
        return refuse_fact(bench, "unknown_resident", "no resident who may sign in")
    if household.part_of(cursor=cursor, wallet=found.wallet, person=person):
        return refuse_fact(bench, "lives_there", "this person belongs to the home already")
    household.end_invite(
        cursor=cursor,
        invite=found,
        how="joined",
        person=person,
        fact=bench.fact,
        now_us=bench.now_us,
        batch=bench.state.last_batch + 1,
    )
    moves.begin_tenancy(cursor=cursor, wallet=found.wallet, user=person, at_us=bench.now_us, role="member")
    said = {"invite": found.invite, "person": person}
    event = EventRow(kind="household.joined", at_us=bench.now_us, wallet=found.wallet, evidence=said)
    return _done(bench, event, said)


def _withdraw(bench: Bench, invite: int, person: int) -> PostedFacts:
    found = household.invite_of(cursor=bench.cursor, invite=invite)
    if found is None or found.book != bench.state.book or found.how:
        return refuse_fact(bench, "no_such_invite", "this invitation was used or taken back before")
    if household.part_of(cursor=bench.cursor, wallet=found.wallet, person=person) != "owner":
        return refuse_fact(bench, "not_an_owner", "only an owner of the home takes an invitation back")
    household.end_invite(
        cursor=bench.cursor,
        invite=found,
        how="withdrawn",
        person=person,
        fact=bench.fact,
        now_us=bench.now_us,
        batch=bench.state.last_batch + 1,
    )
    said = {"invite": found.invite, "person": person}
    event = EventRow(kind="household.withdrawn", at_us=bench.now_us, wallet=found.wallet, evidence=said)
    return _done(bench, event, said)


def _leave(bench: Bench, wallet: int, person: int, author: int) -> PostedFacts:
    """A member goes, or an owner takes a member out; an owner goes by moving out."""
    cursor = bench.cursor
    if wallet not in bench.state.wallet_index:
        return refuse_fact(bench, "unknown_wallet", "this book has no such home")
    if household.part_of(cursor=cursor, wallet=wallet, person=person) != "member":
        return refuse_fact(bench, "no_member", "this person is no member of the home")
    if author != person and household.part_of(cursor=cursor, wallet=wallet, person=author) != "owner":
        return refuse_fact(bench, "not_an_owner", "only an owner of the home takes somebody out of it")
    household.end_tenancy(cursor=cursor, wallet=wallet, person=person, at_us=bench.now_us)
    said = {"person": person, "author": author}
    event = EventRow(kind="household.left", at_us=bench.now_us, wallet=wallet, evidence=said)
    return _done(bench, event, said)


def _done(bench: Bench, event: EventRow, said: dict[str, Any]) -> PostedFacts:
    result = {"wallet": event.wallet, **said}
    return PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=result)], events=[event])
