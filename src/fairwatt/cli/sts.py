"""`fairwatt sts`: codes of twenty digits, made, read and tried against other people's vectors."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from fairwatt.cli import sts_keys as given
from fairwatt.cli.files import read_text
from fairwatt.cli.sts_kinds import Asked, maker_of
from fairwatt.core.spans import from_datetime
from fairwatt.core.tokens.cipher import Algorithm
from fairwatt.core.tokens.code import block_of, decode, encode, split
from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.identity import KeyName, KeyType
from fairwatt.core.tokens.kinds import Token
from fairwatt.core.tokens.outcome import did
from fairwatt.core.tokens.tid import BaseDate, tid_at
from fairwatt.server.errors import BadInput
from fairwatt.server.vending_keys import load_tables
from fairwatt.vending.conform import conform
from fairwatt.vending.fields import fields_of, name_of
from fairwatt.vending.issue import issue, issue_key_change
from fairwatt.vending.worked import work_out

UNENCRYPTED = 1
app = typer.Typer(
    no_args_is_help=True,
    help="Codes of twenty digits for meters without a link (STS-compatible, not certified). "
    "Example: fairwatt sts decode 00000000000150997584. Exit codes 0, 1, 2.",
)
Kind = Annotated[
    str,
    typer.Argument(
        help="electricity, water, gas, time; the same with -money; power-limit, unbalance-limit, clear-credit, "
        "tariff-rate, clear-tamper, water-factor, extended; test, wide-test, extended-read."
    ),
]
"""See sts_kinds.py."""


@app.callback()
def sts() -> None:
    """Codes of twenty digits for meters without a link (STS-compatible algorithms, not certified).

    Example: fairwatt sts decode "5113 2789 4367 8786 1315" --key 929bd3a415c9420a05ec5ee9f3ce91c3
    Exit code 0: done. 1: refused (another key, a key that has ended, no tables, a vector that differs). 2: bad input.
    """


@app.command("encode")
def make_code(
    kind: Kind,
    amount: Annotated[str, typer.Option(help="Credit: kWh, m3, minutes, or money with -money.")] = "",
    value: Annotated[str, typer.Option(help="Settings: watts, register (or all), rate, factor, value.")] = "",
    index: Annotated[int, typer.Option(help="Function of an extended code; 63 writes a flag.")] = 63,
    control: Annotated[str, typer.Option(help="Tests and reads: hexadecimal mask.")] = "0",
    maker: Annotated[int, typer.Option(help="Tests: the maker's number; 0 is every maker.", min=0)] = 0,
    rnd: Annotated[int, typer.Option(help="The four random bits; by default drawn.", min=-1, max=15)] = -1,
    at: Annotated[
        str, typer.Option(help="When it is sold, such as 2026-11-22T10:30+00:00; by default now.")
    ] = "",
    tid: Annotated[int, typer.Option(help="With --key: the identifier itself instead of --at.", min=-1)] = -1,
    taken: Annotated[
        list[int] | None, typer.Option(help="Identifiers of codes this meter got already.")
    ] = None,
    base_date: Annotated[str, typer.Option(help="With --key: 93, 14 or 35.")] = "14",
    key: given.Key = "",
    meter: given.Meter = "",
    card: given.Card = "",
    sgc: given.Sgc = "",
    ti: given.Ti = 1,
    krn: given.Krn = 1,
    kt: given.Kt = 2,
    ea: given.Ea = 11,
    keys: given.Keys = None,
    tables: given.TablesFile = None,
    as_json: given.AsJson = False,
) -> None:
    """Make a code.

    Example: fairwatt sts encode electricity --amount 25.6 --meter 600727000000000009 --sgc 201457 --keys keys.json
    Example: fairwatt sts encode test --control 1
    Exit code 0: made. 1: refused (key has ended, no such group, no tables). 2: bad input.
    """
    asked = Asked(kind=kind, amount=amount, value=value, index=index, control=control, maker=maker)
    drawn = secrets.randbelow(16) if rnd < 0 else rnd
    try:
        make = maker_of(asked, rnd=drawn)
        if make.token_class == UNENCRYPTED:
            shown = make.at(0)
            return _tell_code(encode(token=shown, cipher=None), shown, as_json=as_json)
        holder = given.chosen(
            key=key,
            name=lambda: given.named(meter=meter, card=card, sgc=sgc, ti=ti, krn=krn, kt=kt, ea=ea),
            keys=keys,
            tables=tables,
        )
        if isinstance(holder, given.DirectKey):
            minute = tid if tid >= 0 else _tid(at, base_date, taken or [])
            token = make.at(minute)
            return _tell_code(encode(token=token, cipher=holder.cipher), token, as_json=as_json)
        if tid >= 0:
            raise BadInput(
                "--tid goes with --key only; a sale carries its minute. No code was made; say --at."
            )
        sold = issue(
            vault=holder.vault, name=holder.name, token_at=make.sold_at, at_us=_instant(at), taken=taken or []
        )
        return _tell_code(sold.digits, sold.token, as_json=as_json)
    except TokenError as error:
        raise given.as_operator(error) from error


@app.command("decode")
def read_code(
    token: Annotated[str, typer.Argument(help="Twenty digits; blanks and dashes do not matter.")],
    key: given.Key = "",
    meter: given.Meter = "",
    card: given.Card = "",
    sgc: given.Sgc = "",
    ti: given.Ti = 1,
    krn: given.Krn = 1,
    kt: given.Kt = 2,
    ea: given.Ea = 11,
    keys: given.Keys = None,
    tables: given.TablesFile = None,
    as_json: given.AsJson = False,
) -> None:
    """Read a code, as the meter that holds the key would.

    Example: fairwatt sts decode "5113 2789 4367 8786 1315" --key 929bd3a415c9420a05ec5ee9f3ce91c3 --json
    Example: fairwatt sts decode 00000000000150997584
    Exit code 0: read. 1: refused (another meter or key, no tables). 2: bad input.
    """
    try:
        if split(token)[0] == UNENCRYPTED:
            read = decode(digits=token, cipher=None, algorithm=Algorithm.EA11)
        else:
            holder = given.chosen(
                key=key,
                name=lambda: given.named(meter=meter, card=card, sgc=sgc, ti=ti, krn=krn, kt=kt, ea=ea),
                keys=keys,
                tables=tables,
            )
            if isinstance(holder, given.DirectKey):
                read = decode(digits=token, cipher=holder.cipher, algorithm=holder.algorithm)
            else:
                read = holder.vault.decode(name=holder.name, digits=token)
    except TokenError as error:
        raise given.as_operator(error) from error
    _tell_code("".join(token.split()).replace("-", ""), read, as_json=as_json)


@app.command("keychange")
def change_key(
    to_sgc: Annotated[str, typer.Option(help="The new supply group; by default the same.")] = "",
    to_ti: Annotated[
        int, typer.Option(help="The new tariff index; by default the same.", min=-1, max=99)
    ] = -1,
    to_krn: Annotated[
        int, typer.Option(help="The new key revision; by default the same.", min=-1, max=9)
    ] = -1,
    to_kt: Annotated[int, typer.Option(help="The new key type; by default the same.", min=-1, max=3)] = -1,
    at: Annotated[str, typer.Option(help="When it is made; by default now.")] = "",
    meter: given.Meter = "",
    card: given.Card = "",
    sgc: given.Sgc = "",
    ti: given.Ti = 1,
    krn: given.Krn = 1,
    kt: given.Kt = 2,
    ea: given.Ea = 11,
    keys: given.Keys = None,
    tables: given.TablesFile = None,
    as_json: given.AsJson = False,
) -> None:
    """Make the codes that give a meter another key: four for EA11, two or three for EA07.

    Example: fairwatt sts keychange --meter 600727000000000009 --sgc 201457 --to-sgc 203557 --to-krn 2 --keys keys.json
    Exit code 0: made. 1: refused (the new key has ended, no such group, no tables). 2: bad input.
    """
    try:
        now = given.named(meter=meter, card=card, sgc=sgc, ti=ti, krn=krn, kt=kt, ea=ea)
        then = KeyName(
            pan=now.pan,
            sgc=to_sgc or now.sgc,
            ti=now.ti if to_ti < 0 else to_ti,
            krn=now.krn if to_krn < 0 else to_krn,
            kt=now.kt if to_kt < 0 else KeyType(to_kt),
            algorithm=now.algorithm,
        )
        vault = given.kept(now, keys=keys, tables=tables).vault
        codes = issue_key_change(vault=vault, now=now, then=then, at_us=_instant(at))
    except TokenError as error:
        raise given.as_operator(error) from error
    if as_json:
        typer.echo(json.dumps({"tokens": list(codes), "codes": len(codes)}))
        return
    typer.echo(f"{len(codes)} codes; type all of them, in any order:")
    for code in codes:
        typer.echo(_grouped(code))


@app.command("conform")
def try_vectors(
    file: Annotated[Path, typer.Argument(help="JSON: vectors, each with its class, fields, key and token.")],
    tables: given.TablesFile = None,
    as_json: given.AsJson = False,
) -> None:
    """Make every entry of a file from its fields and read it from its digits; compare both ways.

    Example: fairwatt sts conform sts_vectors.json --tables tables.json --json
    Exit code 0: every entry passed both ways. 1: one did not. 2: the file cannot be used.
    """
    said = _parsed(file)
    found = load_tables(tables)
    entries = said.get("vectors") if isinstance(said, dict) else said
    groups = said.get("primitives", {}) if isinstance(said, dict) else {}
    if not isinstance(entries, list) or not isinstance(groups, dict):
        raise BadInput(f"{file} has no list of vectors. Nothing was compared; give the right file.")
    report = conform(entries=entries, tables=found)
    count, differing, unchecked = work_out(groups=groups, tables=found)
    wrong = [*report.failed, *differing]
    if as_json:
        told = {**asdict(report), "failed": [asdict(one) for one in wrong]}
        figures = {"figures": count, "figures_ok": count - len(differing), "figures_not_checked": unchecked}
        typer.echo(json.dumps({**told, **figures}, ensure_ascii=False))
    else:
        ok = f"{report.encoded_ok} encoded, {report.decoded_ok} decoded"
        typer.echo(f"{report.vectors} vectors: {ok}; {count - len(differing)} of {count} worked figures")
        for note in unchecked:
            typer.echo(f"not checked: {note}")
        for one in wrong:
            typer.echo(f"failed: entry {one.entry} {one.name!r}, {one.direction}: {one.why}")
            if one.expected or one.got:
                typer.echo(f"        expected {one.expected}\n        got      {one.got}")
    raise typer.Exit(1 if wrong else 0)


def _tell_code(digits: str, token: Token, *, as_json: bool) -> None:
    block = f"{block_of(token):016x}"
    said = str(did(token))
    if as_json:
        about = {"token": digits, "name": name_of(token), "cls": token.token_class}
        about |= {"subclass": token.pack() >> 44, "block": block, "crc": block[-4:]}
        typer.echo(json.dumps({**about, **fields_of(token), "said": said}, ensure_ascii=False))
        return
    typer.echo(_grouped(digits))
    typer.echo(f"{name_of(token)}: {said}")
    for name, found in fields_of(token).items():
        typer.echo(f"  {name:<14} {found}")


def _grouped(digits: str) -> str:
    return " ".join(digits[i : i + 4] for i in range(0, len(digits), 4))


def _instant(said: str) -> int:
    """The instant of --at, or now."""
    from datetime import datetime

    from fairwatt.server.clock import clock_for
    from fairwatt.server.config import Config

    if not said:
        return clock_for(Config.load()).now_us()
    try:
        return from_datetime(datetime.fromisoformat(said))
    except ValueError as error:
        raise BadInput(
            f"--at {said!r} is no instant. No code was made; write it as 2026-11-22T10:30+00:00."
        ) from error


def _tid(at: str, base_date: str, taken: list[int]) -> int:
    if base_date not in BaseDate:
        raise BadInput(f"There is no base date {base_date!r}. No code was made; it is 93, 14 or 35.")
    return tid_at(at_us=_instant(at), base=BaseDate(base_date), taken=taken)


def _parsed(file: Path) -> Any:
    try:
        return json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{file} is not JSON ({error}). Nothing was compared; give the right file.") from error
