"""The published proof of an allocation: a file that anybody can add up again, without a database.

Homes appear under the keys that each resident was given, never by name or number.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from fairwatt.core.cells import guarded, unguarded
from fairwatt.core.costs.apportion import (
    LANDLORD_KEY,
    ApportionError,
    Apportionment,
    Formula,
    Participant,
    Payer,
    apportion,
)
from fairwatt.core.costs.formula import formula_from_obj, formula_to_obj
from fairwatt.core.units import MICRO

VERSION: Final = 1
COLUMNS: Final = (
    *("unit", "payer", "days", "area_dm2", "heads", "own_wh"),
    *("floor", "residue", "amount"),
)
_META: Final = ("title", "currency", "zone", "from", "until", "days", "source", "total", "formula", "digest")


class ProofError(ValueError):
    """A file that is not a readable proof of an allocation."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What adding a proof up again came to; no faults means that every share is right."""

    title: str
    currency: str
    total_micro: int
    sum_micro: int
    shares: int
    digest: str
    faults: tuple[str, ...]


def proof_of(
    *,
    title: str,
    currency: str,
    zone: str,
    first_day: str,
    end_day: str,
    days: int,
    source: dict[str, Any],
    formula: Formula,
    participants: list[Participant],
    result: Apportionment,
) -> dict[str, Any]:
    """Write an allocation down whole: inputs, arithmetic and sum, sealed with a digest."""
    known = {one.key: one for one in participants}
    rows = []
    for share in result.shares:
        one = known.get(share.key)
        rows.append(
            {
                "unit": share.key,
                "payer": str(share.payer),
                "days": one.days if one else 0,
                "area_dm2": one.area_dm2 if one else 0,
                "heads": one.heads if one else 0,
                "own_wh": one.own_wh if one else 0,
                "floor_micro": share.floor_micro,
                "residue_micro": share.residue_micro,
                "amount_micro": share.amount_micro,
            }
        )
    body = {
        "fairwatt_allocation": VERSION,
        "title": title,
        "currency": currency,
        "zone": zone,
        "from": first_day,
        "until": end_day,
        "days": days,
        "source": source,
        "total_micro": result.total_micro,
        "formula": formula_to_obj(formula),
        "shares": rows,
    }
    return {**body, "digest": digest_of(body)}


def digest_of(body: dict[str, Any]) -> str:
    """The SHA-256 of a proof without its digest, over JSON with sorted keys and no blanks."""
    content = {name: value for name, value in body.items() if name != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + sha256(text.encode()).hexdigest()


def proof_json(body: dict[str, Any]) -> str:
    """The proof as a JSON file."""
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"


def proof_csv(body: dict[str, Any]) -> str:
    """The proof as a CSV file: what it is about, then a table with its sum in whole currency units."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    write.writerow(["fairwatt_allocation", body["fairwatt_allocation"]])
    for name in _META:
        if name == "total":
            write.writerow([name, _money(body["total_micro"])])
        elif name in ("source", "formula"):
            write.writerow([name, json.dumps(body[name], sort_keys=True, ensure_ascii=False)])
        else:
            write.writerow([name, _words(body[name])])
    write.writerow([])
    write.writerow(COLUMNS)
    for row in body["shares"]:
        inputs = [_words(row[name]) for name in COLUMNS[:6]]
        write.writerow([*inputs, *(_money(row[f"{name}_micro"]) for name in COLUMNS[6:])])
    added = sum(row["amount_micro"] for row in body["shares"])
    write.writerow(["sum", "", "", "", "", "", "", "", _money(added)])
    return out.getvalue()


def _words(cell: Any) -> Any:
    return guarded(cell) if isinstance(cell, str) else cell


def read_proof(text: str) -> dict[str, Any]:
    """Read a proof from either of its files; raises ProofError."""
    try:
        body = json.loads(text) if text.lstrip().startswith("{") else _from_csv(text)
        if not isinstance(body, dict) or body.get("fairwatt_allocation") != VERSION:
            raise ProofError(
                "this is not a version 1 allocation of Fairwatt; take the file from its page again"
            )
    except (ValueError, KeyError, IndexError, RecursionError) as error:
        if isinstance(error, ProofError):
            raise
        raise ProofError(
            f"the file cannot be read as an allocation ({error}); take it from its page again"
        ) from error
    return body


def verify(body: dict[str, Any]) -> Verdict:
    """Work the shares out again from the inputs and compare every figure."""
    try:
        formula = formula_from_obj(body["formula"])
        rows = {str(row["unit"]): row for row in body["shares"]}
        participants = [_participant(row) for key, row in rows.items() if key != LANDLORD_KEY]
        result = apportion(
            formula=formula, total_micro=_whole(body["total_micro"]), participants=participants
        )
        added = sum(_whole(row["amount_micro"]) for row in body["shares"])
        faults = _faults(body, rows, result, added)
    except (ApportionError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProofError(
            f"the allocation is incomplete ({error}); take the file from its page again"
        ) from error
    return Verdict(
        title=str(body["title"]),
        currency=str(body["currency"]),
        total_micro=result.total_micro,
        sum_micro=added,
        shares=len(body["shares"]),
        digest=str(body.get("digest", "")),
        faults=tuple(faults),
    )


def _faults(body: dict[str, Any], rows: dict[str, Any], result: Apportionment, added: int) -> list[str]:
    faults = []
    if len(rows) != len(body["shares"]):
        faults.append("two shares have the same unit")
    if added != result.total_micro:
        faults.append(f"the shares add up to {_money(added)}, the total is {_money(result.total_micro)}")
    for share in result.shares:
        row = rows.pop(share.key, None)
        if row is None:
            faults.append(f"{share.key} has no share, but should carry {_money(share.amount_micro)}")
            continue
        said = (_whole(row["floor_micro"]), _whole(row["residue_micro"]), _whole(row["amount_micro"]))
        if said != (share.floor_micro, share.residue_micro, share.amount_micro):
            faults.append(
                f"{share.key} carries {_money(said[2])}; worked out again it is {_money(share.amount_micro)} "
                f"({_money(share.floor_micro)} and a residue of {_money(share.residue_micro)})"
            )
    faults += [f"{key} carries a share that the formula does not give" for key in rows]
    if body.get("digest") != digest_of(body):
        faults.append("the digest is not that of the content: the file was changed after it was published")
    return faults


def _participant(row: dict[str, Any]) -> Participant:
    return Participant(
        key=str(row["unit"]),
        payer=Payer(row["payer"]),
        days=_whole(row["days"]),
        area_dm2=_whole(row["area_dm2"]),
        heads=_whole(row["heads"]),
        own_wh=_whole(row["own_wh"]),
    )


def _from_csv(text: str) -> dict[str, Any]:
    lines = list(csv.reader(io.StringIO(text)))
    blank = lines.index([])
    meta = {row[0]: row[1] for row in lines[:blank]}
    if tuple(lines[blank + 1]) != COLUMNS:
        raise ProofError(f"the table of shares must have the columns {', '.join(COLUMNS)}")
    shares = []
    for row in lines[blank + 2 :]:
        if not row or row[0] == "sum":
            continue
        inputs = {
            "unit": unguarded(row[0]),
            "payer": row[1],
            **{n: int(v) for n, v in zip(COLUMNS[2:6], row[2:6], strict=True)},
        }
        amounts = {f"{n}_micro": _micro(v) for n, v in zip(COLUMNS[6:], row[6:9], strict=True)}
        shares.append({**inputs, **amounts})
    return {
        "fairwatt_allocation": int(meta["fairwatt_allocation"]),
        **{name: unguarded(meta[name]) for name in ("title", "currency", "zone", "from", "until")},
        "days": int(meta["days"]),
        "source": json.loads(meta["source"]),
        "total_micro": _micro(meta["total"]),
        "formula": json.loads(meta["formula"]),
        "shares": shares,
        "digest": meta["digest"],
    }


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ProofError(f"{value!r} is not a whole number")
    return value


def _money(micro: int) -> str:
    sign, size = ("-", -micro) if micro < 0 else ("", micro)
    return f"{sign}{size // MICRO}.{size % MICRO:06d}"


def _micro(text: str) -> int:
    size, _, part = text.removeprefix("-").partition(".")
    if len(part) > 6 or not (size + part).isdecimal():
        raise ProofError(f"{text!r} is not an amount with up to six decimals")
    micro = int(size) * MICRO + int(part.ljust(6, "0"))
    return -micro if text.startswith("-") else micro
