"""Emergency restore codes: the poster makes them, because the web must not hold the key of any meter."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from fairwatt.core.commands import restore_code
from fairwatt.core.commands.restore_code import KeepsCodeKeys
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.store import restore_codes
from fairwatt.store.posting import EventRow, FactAnswer

_DAY_US: Final = 86_400_000_000


def post_restore_code(bench: Bench, about: dict[str, Any]) -> PostedFacts:
    """Make the code a fact asks for: whoever wrote the fact is not trusted, so all is looked up again."""
    match about:
        case {
            "installation": int(installation),
            "hours": int(hours),
            "reason": str(reason),
            "author": int(author),
        }:
            pass
        case _:
            return refuse_fact(
                bench, "unknown_kind", "the content of this restore_code is not what such a fact says"
            )
    keys, cursor = bench.codes, bench.cursor
    if keys is None:
        return refuse_fact(bench, "no_code_keys", "this poster holds no keys of codes")
    row = _meter(bench, installation, author)
    if row is None:
        return refuse_fact(bench, "not_authorised", "no administrator, or no such meter at work in this book")
    wallet, gateway, meter = row
    policy = restore_codes.policy_of(cursor=cursor, book=bench.state.book)
    lately = restore_codes.count_lately(cursor=cursor, wallet=wallet, now_us=bench.now_us)
    if (
        hours not in restore_code.HOURS
        or hours > policy.hours_max
        or lately >= policy.per_month
        or not reason.strip()
    ):
        return refuse_fact(bench, "against_policy", "the policy allows no such code for this home now")
    counter, used = restore_codes.next_counter(
        cursor=cursor, book=bench.state.book, gateway=gateway, meter=meter
    )
    if counter - used > restore_code.AHEAD_MAX:
        return refuse_fact(
            bench,
            "too_many_unused",
            "more codes of this meter are unused than it can tell apart; commission it anew",
        )
    asked = _Asked(wallet, gateway, meter, counter, hours, author, reason[:300])
    restore_codes.save_code(cursor=cursor, row=_row(bench, asked), digits=_digits(bench, keys, asked))
    event = EventRow(
        kind="supply.restore_code_issued",
        at_us=bench.now_us,
        wallet=wallet,
        gateway=gateway,
        meter=meter,
        evidence={"fact": bench.fact, "counter": counter, "hours": hours, "author": author},
    )
    result = {"counter": counter, "hours": hours, "meter": meter}
    return PostedFacts(answers=[FactAnswer(fact=bench.fact, state="posted", result=result)], events=[event])


class _Asked(NamedTuple):
    """A code that may be made."""

    wallet: int
    gateway: int
    meter: int
    counter: int
    hours: int
    author: int
    reason: str


def _digits(bench: Bench, keys: KeepsCodeKeys, asked: _Asked) -> str:
    slug = bench.state.gateways[asked.gateway].slug
    return restore_code.write_code(
        marker=lambda number, said: keys.mark(gateway=slug, meter=number, said=said),
        meter=asked.meter,
        counter=asked.counter,
        hours=asked.hours,
        day=bench.now_us // _DAY_US,
    )


def _row(bench: Bench, asked: _Asked) -> dict[str, Any]:
    return {
        **asked._asdict(),
        "book": bench.state.book,
        "day": bench.now_us // _DAY_US,
        "fact": bench.fact,
        "issued_us": bench.now_us,
    }


def _meter(bench: Bench, installation: int, author: int) -> tuple[int, int, int] | None:
    """(wallet, gateway, meter number), when an administrator of the book asks about a meter at work in it."""
    bench.cursor.execute(
        "SELECT i.wallet_id, m.gateway_id, m.number FROM store_installation i JOIN store_meter m ON m.id = i.meter_id "
        "JOIN store_wallet w ON w.id = i.wallet_id JOIN store_book b ON b.id = w.book_id "
        "JOIN store_user u ON u.organisation_id = b.organisation_id "
        "WHERE i.id = %s AND i.closed_us IS NULL AND b.id = %s AND u.id = %s AND u.is_active AND u.role = 'admin'",
        [installation, bench.state.book, author],
    )
    row = bench.cursor.fetchone()
    return None if row is None else (int(row[0]), int(row[1]), int(row[2]))
