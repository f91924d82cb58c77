"""A meter is exchanged: the old register ends, the new one begins, and the same person goes on paying.

Nothing is lost and nothing doubled: the old meter charges up to its final register, the new one from its opening. What
the home used in its counting window goes along, because blocks are the home's and not the meter's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairwatt.core.metering.transformer import Transformer, TransformerError
from fairwatt.flows.posting.leaving import Left, MoveRefused, end_readings, leave, note_change
from fairwatt.flows.posting.posted import Bench, PostedFacts
from fairwatt.flows.posting.rerating import start_window
from fairwatt.store import exchanges, moves
from fairwatt.store.exchanges import NewMeter
from fairwatt.store.moves import Change
from fairwatt.store.posting import EventRow, FactAnswer


def post_exchange(bench: Bench, about: Mapping[str, Any]) -> PostedFacts:
    """Put another meter in the place of one. Raises MoveRefused, MoveWaits."""
    match about:
        case {
            "installation": int(installation),
            "wallet": int(wallet),
            "at_us": int(at_us),
            "author": int(author),
            "opening_wh": int(opening_wh),
            "meter": dict(said),
        }:
            new, final, transformer = _meter(said), about.get("final_wh"), _transformer(about)
        case _:
            raise MoveRefused("unknown_kind", "the content of this exchange is not what such a fact says")
    cursor, book = bench.cursor, bench.state.book
    if moves.clerk(cursor=cursor, book=book, user=author) is None:
        raise MoveRefused("not_authorised", "only operators and administrators of the book's organisation")
    if not 0 < at_us <= bench.now_us or not 0 <= opening_wh < new.modulus_wh:
        raise MoveRefused(
            "future_instant", "the exchange is yet to come, or the new register cannot show that"
        )
    home = exchanges.at_work(cursor=cursor, book=book, installation=installation)
    if home is None or home.wallet != wallet or home.opened_us >= at_us:
        raise MoveRefused("overtaken", "that meter was not at work there for that account at that moment")
    if exchanges.is_taken(cursor=cursor, gateway=home.gateway, number=new.number):
        raise MoveRefused("meter_taken", "a meter of that number is at work behind this gateway already")
    left = leave(
        bench=bench,
        installation=installation,
        at_us=at_us,
        stated=final if type(final) is int else None,
    )
    moves.close_installation(cursor=cursor, installation=installation, at_us=at_us)
    begun = exchanges.install(
        cursor=cursor,
        like=installation,
        meter=exchanges.meter_row(cursor=cursor, gateway=home.gateway, meter=new),
        at_us=at_us,
        opening_wh=opening_wh,
        opening_counter_wh=_counter(bench, left, at_us),
        transformer=transformer,
    )
    change = Change(
        kind="exchange",
        unit=home.unit,
        at_us=at_us,
        old_installation=installation,
        new_installation=begun,
        old_wallet=wallet,
        new_wallet=wallet,
        left=left.state,
        basis=left.basis,
    )
    number = note_change(bench=bench, change=change, author=author, reason=str(about.get("reason", "")))
    return _told(bench, left, wallet, number, new, author)


def _told(bench: Bench, left: Left, wallet: int, number: int, new: NewMeter, author: int) -> PostedFacts:
    out = PostedFacts(reload=True, regrant={wallet}, left={left.register})
    if left.line is not None:
        out.lines.append(left.line)
        out.wallet_ix.append(bench.state.wallet_index[wallet])
        out.registers_moved.append((left.register, left.state))
    if left.before_head:
        end_readings(bench=bench, one=left, wallet=wallet)
        out.more = True
    result = {
        "kind": "exchange",
        "old_wallet": wallet,
        "new_wallet": wallet,
        "changeovers": [number],
        "final_wh": left.state.register_wh,
        "meter": new.number,
        "at_us": left.state.at_us,
        "provisional": int(left.basis == "estimated"),
    }
    evidence = {"fact": bench.fact, "author": author, "bases": {str(left.installation): left.basis}, **result}
    out.events.append(
        EventRow(
            kind="meter.exchanged", at_us=bench.now_us, wallet=wallet, meter=new.number, evidence=evidence
        )
    )
    out.answers.append(FactAnswer(fact=bench.fact, state="posted", result=result))
    return out


def _counter(bench: Bench, left: Left, at_us: int) -> int:
    """What the home used so far in the counting window that the new meter begins in."""
    head = bench.registers.rows[left.register]
    table = bench.state.plans[int(head["plan_ix"])].table
    window_us = start_window(table=table, at_us=at_us, opening=True)
    return left.state.counter_wh if window_us == left.state.window_us else 0


def _transformer(about: Mapping[str, Any]) -> tuple[int, int] | None:
    """The current transformers that came with the meter; None: those that were there."""
    match about.get("transformer"):
        case None:
            return None
        case [int(primary), int(secondary)]:
            try:
                Transformer(primary, secondary)
            except TransformerError as error:
                raise MoveRefused("unknown_kind", str(error)) from error
            return primary, secondary
        case _:
            raise MoveRefused("unknown_kind", "the transformers are not described as transformers are")


def _meter(said: Mapping[str, Any]) -> NewMeter:
    match said:
        case {
            "number": int(number),
            "profile": str(profile),
            "modulus_wh": int(modulus),
            "resolution_wh": int(resolution),
            "max_power_w": int(power),
        } if 0 < number < 10**12 and 0 < resolution < modulus and power > 0:
            return NewMeter(number, profile[:60], modulus, resolution, power)
        case _:
            raise MoveRefused("unknown_kind", "the new meter is not described as a meter is")
