"""A person's order to cut or restore, from a push: looked up again here, and counted against the limit here."""

from __future__ import annotations

from typing import Any

from fairwatt.core.credit.blast import order_limit
from fairwatt.flows.posting.posted import Bench, PostedFacts, refuse_fact
from fairwatt.store.facts import written_by_web
from fairwatt.store.posting import EventRow, FactAnswer
from fairwatt.wire.commands import RelayOrder

REASON = "operator"


def post_supply_order(bench: Bench, *, push: int, gateway: int, meter: int, relay: str) -> PostedFacts:
    """Order the relay of one meter of a push. Refused: not of that push, protected, or one too many unapproved."""
    if written_by_web(cursor=bench.cursor, fact=bench.fact):
        return refuse_fact(
            bench, "not_authorised", "a web process asked for it; a push may, and nothing else"
        )
    bench.cursor.execute(
        "SELECT p.author, p.wish->>'relay', (SELECT count(*) FROM push_target x WHERE x.push = p.id), "
        "EXISTS (SELECT 1 FROM push_step s JOIN store_user u ON u.id = s.author WHERE s.push = p.id "
        "  AND s.step = 'approve' AND s.author <> p.author AND u.role = 'admin' AND u.is_active), "
        "EXISTS (SELECT 1 FROM push_step s WHERE s.push = p.id AND s.step = 'stop') "
        "FROM push p JOIN push_target t ON t.push = p.id "
        "WHERE p.id = %s AND p.book = %s AND p.kind = 'supply' AND t.gateway = %s AND t.meter = %s",
        [push, bench.state.book, gateway, meter],
    )
    row = bench.cursor.fetchone()
    n = bench.state.find_register(gateway=gateway, meter=meter)
    if row is None or n < 0 or row[1] != relay:
        return refuse_fact(bench, "no_such_meter", "no push of this book orders this of such a meter")
    author, _, targets, approved, stopped = row
    if stopped:
        return refuse_fact(bench, "stopped", "the push was stopped before this order")
    wallet = bench.state.wallets[int(bench.state.registers["wallet_ix"][n])]
    cut = relay == "open"
    if cut:
        spared = _spared(bench, n, bool(wallet["protected"]))
        if spared is not None:
            return spared
        counted = bench.state.mass_cuts.counted(now_us=bench.now_us)
        limit = order_limit(meters=len(bench.state.registers))
        if not approved and (int(targets) > limit or len(counted) >= limit):
            return refuse_fact(bench, "mass_cut", f"more than {limit} cuts in an hour need a second person")
    about: dict[str, Any] = {
        "at_us": bench.now_us,
        "wallet": int(wallet["wallet"]),
        "gateway": gateway,
        "meter": meter,
        "reason": REASON,
        "evidence": {"push": push, "author": int(author), "fact": bench.fact},
    }
    event = (
        EventRow(kind="supply.cut_ordered", **about)
        if cut
        else EventRow(kind="supply.restore_ordered", **about)
    )
    return PostedFacts(
        ordered={n: (RelayOrder.OPEN if cut else RelayOrder.CLOSED, bench.fact)},
        answers=[FactAnswer(fact=bench.fact, state="posted", result={"ordered": relay})],
        events=[event],
    )


def _spared(bench: Bench, n: int, protected: bool) -> PostedFacts | None:
    if bool(bench.state.registers["feeds_gateway"][n]):
        return refuse_fact(
            bench, "feeds_gateway", "this meter feeds its own gateway; cut, it could not be restored"
        )
    if bool(bench.state.registers["spared_circuit"][n]):
        return refuse_fact(bench, "protected_circuit", "a cold store or a fire system hangs on this meter")
    if protected:
        return refuse_fact(bench, "protected", "a protected person lives there; nobody is cut by a list")
    return None
