"""The laws of the ledger, checked against what is durable. They know the tables and the oracle, not the poster."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from math import floor
from typing import Any

import yaml

from fairwatt.simulate import oracle

READING, TOPUP, CORRECTION, ADJUSTMENT, LATE, MOVED = 1, 2, 3, 6, 7, 12
BACK = (15, 16)
"""Refunds and payments taken back: what they move stands in refund and chargeback."""
COSTS = (4, 5, 9)
"""Fees, shares and their reversals: what they move stands in cost_entry."""
VOID = 17
DEPOSIT = 20
"""Credit set aside or back: what it moves stands in deposit_entry."""
LENT = (13, 14)
"""Emergency credit and debts: what they move stands in credit_entry."""
PLAIN = (TOPUP, ADJUSTMENT, MOVED, VOID, DEPOSIT, *COSTS, *LENT, *BACK)
"""Kinds of line that have no components of use."""
_US = "(extract(epoch FROM ts) * 1000000)::bigint"
_LINES = f"""
SELECT wallet, ref, kind, seq, {_US} AS at_us, register_wh, energy_wh, energy_micro, standing_micro, tax_micro,
       amount_micro, balance_micro, batch
  FROM line WHERE book = %s ORDER BY wallet, seq
"""
_INSTALLATIONS = """
SELECT i.id AS ref, i.wallet_id AS wallet, i.opened_us, i.opening_wh, i.opening_counter_wh, m.modulus_wh,
       CASE WHEN i.ct_in_register THEN 1 ELSE i.ct_primary END AS primary_a,
       CASE WHEN i.ct_in_register THEN 1 ELSE i.ct_secondary END AS secondary_a,
       (SELECT p.text FROM store_tariffpublication p WHERE p.plan_id = i.plan_id ORDER BY p.id DESC LIMIT 1) AS text
  FROM store_installation i JOIN store_meter m ON m.id = i.meter_id
  JOIN store_wallet w ON w.id = i.wallet_id WHERE w.book_id = %s
"""


class LawBroken(AssertionError):
    """History breaks one or more laws; each is named."""


def check_laws(book: int, *, acked: Iterable[tuple[int, int, int]] = (), judged: bool = True) -> None:
    """Raise LawBroken unless everything durable in a book keeps the laws.

    `acked`: (gateway, epoch, seq) that gateways were told is stored. `judged`: the oracle knows the tariff.
    """
    lines = _rows(_LINES, book)
    broken = [
        *_money_is_conserved(book),
        *_wallets_add_up(lines),
        *_watt_hours_are_charged_once(book, lines),
        *(_the_oracle_agrees(book, lines) if judged else ()),
        *_costs_are_what_their_entries_say(book, lines),
        *_loans_are_what_their_entries_say(book, lines),
        *_refunds_are_what_their_rows_say(book),
        *_acknowledged_is_durable(book, acked),
        *_receipts_have_no_hole(book),
        *_drawers_add_up(book),
        *_nobody_is_cut_unheard(book),
    ]
    if broken:
        raise LawBroken("\n".join(broken))


def emitted(book: int) -> list[list[tuple[int, int]]]:
    """(instant, register) that each register of a book showed, as people set it right since."""
    lines = _rows(_LINES, book)
    return [_emitted(home, lines) for home in _rows(_INSTALLATIONS, book)]


def _money_is_conserved(book: int) -> Iterable[str]:
    for row in _rows(
        "SELECT batch, currency, sum(amount_micro) AS off FROM journal WHERE book = %s "
        "GROUP BY 1, 2 HAVING sum(amount_micro) <> 0",
        book,
    ):
        yield f"conservation: journal batch {row['batch']} is off by {row['off']} {row['currency']}"
    for row in _rows(
        "SELECT batch, l.total AS lines, j.total AS control FROM "
        "(SELECT batch, sum(amount_micro) AS total FROM line WHERE book = %s GROUP BY 1) l FULL JOIN "
        "(SELECT batch, sum(amount_micro) AS total FROM journal WHERE book = %s AND account = 'wallet' GROUP BY 1) j "
        "USING (batch) WHERE coalesce(l.total, 0) <> coalesce(j.total, 0)",
        book,
        book,
    ):
        yield f"control: batch {row['batch']} moves wallets by {row['lines']}, its control leg by {row['control']}"


def _nobody_is_cut_unheard(book: int) -> Iterable[str]:
    """No cut without a warning that arrived before it, or a row by which staff is to call."""
    for row in _rows(
        "SELECT e.id, e.wallet FROM event e WHERE e.book = %s AND e.kind IN ('supply.cut', 'gateway.local_trip') "
        "AND e.wallet IS NOT NULL AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.wallet = e.wallet "
        "AND n.reached_us <= e.at_us) AND NOT EXISTS (SELECT 1 FROM escalation x WHERE x.wallet = e.wallet "
        "AND x.at_us <= e.at_us)",
        book,
    ):
        yield f"unheard: cut {row['id']} of wallet {row['wallet']} came without a warning that arrived or a call"


def _wallets_add_up(lines: list[dict[str, Any]]) -> Iterable[str]:
    balance: dict[int, int] = defaultdict(int)
    seq: dict[int, int] = defaultdict(int)
    for line in lines:
        wallet = line["wallet"]
        if line["seq"] != seq[wallet] + 1:
            yield f"order: wallet {wallet} goes from line {seq[wallet]} to {line['seq']}"
        if line["kind"] not in PLAIN and line["amount_micro"] != -sum(_parts(line)):
            yield f"parts: line {line['seq']} of wallet {wallet} is not the sum of its parts"
        seq[wallet] = line["seq"]
        balance[wallet] += line["amount_micro"]
        if line["balance_micro"] != balance[wallet]:
            yield f"balance: line {line['seq']} of wallet {wallet} says {line['balance_micro']}, not {balance[wallet]}"


def _watt_hours_are_charged_once(book: int, lines: list[dict[str, Any]]) -> Iterable[str]:
    for home in _rows(_INSTALLATIONS, book):
        shown = _emitted(home, lines)
        mine = [line for line in lines if line["ref"] == home["ref"]]
        if shown:
            last = max(shown)[1]
            # What a turn of the register is worth; litres of gas are billed as the watt-hours in them.
            turn, end, start = (
                floor(wh * _factor(home)) for wh in (home["modulus_wh"], last, _opening_wh(home))
            )
            used = (end - start) % turn
            charged = sum(line["energy_wh"] for line in mine)
            if charged % turn != used:
                yield f"energy: register {home['ref']} used {used} Wh, {charged} Wh were charged"


def _factor(home: dict[str, Any]) -> Fraction:
    """What a metered unit is billed as, by the tariff's own words and the transformers in front of the meter."""
    said = yaml.safe_load(home["text"]).get("conversion") or {}
    factor = Fraction(home["primary_a"], home["secondary_a"])
    for up in said.get("multiply", ()):
        factor *= Fraction(str(up))
    for down in said.get("divide", ()):
        factor /= Fraction(str(down))
    return factor


def _the_oracle_agrees(book: int, lines: list[dict[str, Any]]) -> Iterable[str]:
    paid = _paid(book)
    homes: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for home in _rows(_INSTALLATIONS, book):
        homes[home["wallet"]].append(home)
    for wallet, mine in homes.items():
        # The oracle knows no transformers: it is shown what a register of the conductors would have shown.
        meters = [
            (_opening(home), [(at_us, _conductor(home, wh)) for at_us, wh in _emitted(home, lines)])
            for home in mine
        ]
        expected = oracle.expect(
            wallet=oracle.Wallet(0, mine[0]["text"], meters, paid[wallet]), modulus_wh=mine[0]["modulus_wh"]
        )
        owed = (expected.charge.energy_micro, expected.charge.standing_micro, expected.charge.tax_micro)
        charges = [_parts(line) for line in lines if line["wallet"] == wallet and line["kind"] not in PLAIN]
        charged = tuple(sum(column) for column in zip(*charges, strict=True)) or (0, 0, 0)
        if charged != owed:
            yield f"oracle: wallet {wallet} owes {owed}, was charged {charged}"
        mine = [
            line
            for line in lines
            if line["wallet"] == wallet
            and line["kind"] not in (ADJUSTMENT, MOVED, VOID, DEPOSIT, *COSTS, *LENT, *BACK)
        ]
        balance = sum(line["amount_micro"] for line in mine)
        if balance != expected.balance_micro:
            yield f"oracle: wallet {wallet} should have {expected.balance_micro}, has {balance}"


def _costs_are_what_their_entries_say(book: int, lines: list[dict[str, Any]]) -> Iterable[str]:
    entries = {row["id"]: row for row in _rows("SELECT * FROM cost_entry WHERE book = %s", book)}
    moved = {line["ref"]: line for line in lines if line["kind"] in COSTS}
    for entry in entries.values():
        line = moved.pop(entry["id"], None)
        if entry["wallet"] is None or not entry["taken_micro"]:
            if line is not None or entry["taken_micro"]:
                yield f"costs: entry {entry['id']} moved a wallet that was to give nothing"
        elif line is None or (line["wallet"], -line["amount_micro"]) != (
            entry["wallet"],
            entry["taken_micro"],
        ):
            yield f"costs: entry {entry['id']} took {entry['taken_micro']}, its line says {line}"
    yield from (f"costs: line {ref} of kind {line['kind']} has no entry" for ref, line in moved.items())
    for entry in entries.values():
        follow = [one for one in entries.values() if one["of"] == entry["id"]]
        left = entry["arrears_micro"] + sum(one["arrears_micro"] for one in follow)
        if entry["of"] is None and left < 0:
            yield f"costs: entry {entry['id']} got {-left} more than was open"
    for row in _rows(
        "SELECT (SELECT coalesce(sum(arrears_micro), 0) FROM cost_entry WHERE book = %s) + "
        "(SELECT coalesce(sum(amount_micro), 0) FROM journal WHERE book = %s AND account LIKE 'receivable:%%' "
        "AND account NOT IN ('receivable:emergency', 'receivable:debt')) AS off",
        book,
        book,
    ):
        if row["off"]:
            yield f"costs: entries and the journal's receivables differ by {row['off']}"


def _receipts_have_no_hole(book: int) -> Iterable[str]:
    """Every credited payment has one receipt, and the numbers of a book are 1, 2, 3 without exception."""
    numbers = [
        row["number"] for row in _rows("SELECT number FROM receipt WHERE book = %s ORDER BY fact", book)
    ]
    if sorted(numbers) != list(range(1, len(numbers) + 1)):
        yield f"receipts: the numbers are {numbers}"
    for row in _rows(
        "SELECT coalesce(f.id, r.fact) AS fact, f.credited, r.amount_micro FROM (SELECT id, "
        "(result->>'amount_micro')::bigint AS credited FROM fact WHERE book = %s AND kind IN ('payment', 'claim') "
        "AND result->>'outcome' = 'credited') f FULL JOIN (SELECT * FROM receipt WHERE book = %s) r ON r.fact = f.id "
        "WHERE f.credited IS DISTINCT FROM r.amount_micro",
        book,
        book,
    ):
        yield f"receipts: fact {row['fact']} credited {row['credited']}, its receipt says {row['amount_micro']}"


def _drawers_add_up(book: int) -> Iterable[str]:
    """A count expects the float and every taking, less what was handed out; the difference is in the journal."""
    for row in _rows(
        "SELECT e.shift, e.expected_minor AS said, s.float_minor "
        "+ (SELECT coalesce(sum(amount_minor), 0) FROM taking WHERE shift = s.fact AND tender = 'cash') "
        "- (SELECT coalesce(sum(amount_minor), 0) FROM cash_out WHERE shift = s.fact) AS found "
        "FROM shift_end e JOIN shift s ON s.fact = e.shift WHERE e.book = %s",
        book,
    ):
        if row["said"] != row["found"]:
            yield f"drawer: shift {row['shift']} expected {row['said']}, its takings come to {row['found']}"
    for row in _rows(
        "SELECT (SELECT coalesce(sum(amount_micro), 0) FROM journal WHERE book = %s AND account = 'cash:over-short') "
        "- (SELECT coalesce(sum(counted_minor - expected_minor), 0) * 10000 FROM shift_end WHERE book = %s) "
        "- (SELECT coalesce(sum(v.amount_micro), 0) FROM credit_void v JOIN receipt r ON r.fact = v.of "
        "WHERE v.book = %s AND v.way = 'not_received' AND r.provider = 'cash') AS off",
        book,
        book,
        book,
    ):
        if row["off"]:
            yield f"drawer: the journal's over and short differs from the counts by {row['off']}"


def _opening(home: dict[str, Any]) -> oracle.Opening:
    return oracle.Opening(
        at_us=home["opened_us"],
        register_wh=_conductor(home, _opening_wh(home)),
        counter_wh=home["opening_counter_wh"],
    )


def _opening_wh(home: dict[str, Any]) -> int:
    """Where a register began, as it was found to have stood there when it came to be read."""
    moved = [edit["wh"] for edit in _edits(home) if edit["at_us"] == home["opened_us"]]
    return int([home["opening_wh"], *moved][-1])


def _conductor(home: dict[str, Any], wh: int) -> int:
    return wh * int(home["primary_a"]) // int(home["secondary_a"])


def _emitted(home: dict[str, Any], lines: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """What the register showed, as people set it right since."""
    shown = {
        line["at_us"]: line["register_wh"]
        for line in lines
        if line["ref"] == home["ref"] and line["kind"] in (READING, LATE)
    }
    for edit in _edits(home):
        if edit["at_us"] == home["opened_us"]:
            continue
        if edit["ends"]:
            shown = {at_us: wh for at_us, wh in shown.items() if at_us < edit["at_us"]}
        if edit["wh"] is None:
            del shown[edit["at_us"]]
        else:
            shown[edit["at_us"]] = edit["wh"]
    return sorted(shown.items())


def _loans_are_what_their_entries_say(book: int, lines: list[dict[str, Any]]) -> Iterable[str]:
    entries = _rows(
        "SELECT id, wallet, kind, rule, owed_micro, line_micro FROM credit_entry WHERE book = %s", book
    )
    said = {entry["id"]: (entry["wallet"], entry["line_micro"]) for entry in entries if entry["line_micro"]}
    moved = {line["ref"]: (line["wallet"], line["amount_micro"]) for line in lines if line["kind"] in LENT}
    if said != moved:
        yield f"loans: entries say {said}, lines {moved}"
    open_micro: dict[tuple[int, int | None], int] = defaultdict(int)
    for entry in entries:
        debt = None if entry["kind"] in ("lent", "repaid") else entry["rule"]
        open_micro[entry["wallet"], debt] += entry["owed_micro"]
    yield from (
        f"loans: {key} owes {owed}, less than nothing" for key, owed in open_micro.items() if owed < 0
    )
    receivable = _rows(
        "SELECT coalesce(sum(amount_micro), 0) AS total FROM journal WHERE book = %s "
        "AND account IN ('receivable:emergency', 'receivable:debt')",
        book,
    )[0]["total"]
    if receivable != -sum(open_micro.values()):
        yield f"loans: the journal is owed {-receivable}, the entries {sum(open_micro.values())}"


_HELD = ("approved", "submitted", "abnormal")


def _refunds_are_what_their_rows_say(book: int) -> Iterable[str]:
    """What is owed back is what the liability account holds; of no payment goes more back than was paid."""
    digits = _rows("SELECT currency FROM store_book WHERE id = %s", book)[0]["currency"]
    micro = 1_000_000 if digits == "JPY" else 10_000
    refunds = _rows(
        "SELECT payment, wish, origin, state, amount_minor, paid_by FROM refund WHERE book = %s", book
    )
    wishes = _rows("SELECT id, amount_micro FROM refund_wish WHERE book = %s", book)
    owed = sum(one["amount_micro"] for one in wishes)
    for one in refunds:
        if one["wish"] is None and one["state"] in _HELD:
            owed += one["amount_minor"] * micro
        elif one["wish"] is not None and one["state"] == "succeeded":
            owed -= one["amount_minor"] * micro
    booked = dict.fromkeys(("payable:refunds", "rounding"), 0)
    for row in _rows(
        "SELECT account, sum(amount_micro)::bigint AS total FROM journal WHERE book = %s GROUP BY 1", book
    ):
        booked[row["account"]] = row["total"]
    if booked["payable:refunds"] + booked["rounding"] != owed:
        yield f"refunds: {owed} is owed back, the journal holds {booked}"
    for paid in _rows("SELECT * FROM paid WHERE book = %s", book):
        mine = [one for one in refunds if one["payment"] == paid["fact"]]
        held = sum(one["amount_minor"] for one in mine if one["state"] in _HELD)
        done = sum(one["amount_minor"] for one in mine if one["state"] == "succeeded")
        at_source = sum(one["amount_minor"] for one in mine if one["paid_by"] in ("source", "both"))
        ours = sum(
            one["amount_minor"] for one in mine if one["origin"] != "provider" and one["state"] == "succeeded"
        )
        most = paid["paid_minor"]
        if (paid["open_minor"], paid["done_minor"]) != (held, min(done, most)) or max(at_source, ours) > most:
            yield f"refunds: payment {paid['fact']} says {paid}, its refunds {held} held and {done} done"


def _edits(home: dict[str, Any]) -> list[dict[str, Any]]:
    return _rows(
        "SELECT (payload->>'at_us')::bigint AS at_us, (payload->>'register_wh')::bigint AS wh, "
        "coalesce((payload->>'ends')::boolean, false) AS ends FROM fact "
        "WHERE kind = 'reading_edit' AND state = 'posted' AND (payload->>'installation')::bigint = %s ORDER BY id",
        home["ref"],
    )


def _acknowledged_is_durable(book: int, acked: Iterable[tuple[int, int, int]]) -> Iterable[str]:
    stored = {
        row["gateway"]: (row["epoch"], row["seq"])
        for row in _rows("SELECT gateway, epoch, seq FROM gateway_head WHERE book = %s", book)
    }
    for gateway, epoch, seq in acked:
        if (epoch, seq) > stored.get(gateway, (0, 0)):
            yield f"durable: gateway {gateway} was told that {epoch}/{seq} is stored, which is not so"


def _paid(book: int) -> dict[int, list[int]]:
    """What providers said was paid into each wallet, from their own bytes."""
    paid: dict[int, list[int]] = defaultdict(list)
    for row in _rows(
        "SELECT wallet, raw, payload, result FROM fact "
        "WHERE book = %s AND kind IN ('payment', 'claim') AND result->>'outcome' = 'credited'",
        book,
    ):
        # Of a merchant's account the bytes may be sealed: its platform's own truth is compared by the test.
        # Cash has no bytes.
        sandbox = "account" not in _read(row["payload"]) and len(row["raw"]) > 0
        said = json.loads(bytes(row["raw"])) if sandbox else _read(row["result"])
        paid[row["wallet"]].append(said["amount_minor"] * 10_000)
    return paid


def _read(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return found


def _parts(line: dict[str, Any]) -> tuple[int, int, int]:
    return line["energy_micro"], line["standing_micro"], line["tax_micro"]


def _rows(query: str, *parameters: int) -> list[dict[str, Any]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
