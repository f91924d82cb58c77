"""Which key a code is for: the options that `fairwatt sts` commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from fairwatt.core.tokens.cipher import Algorithm, Cipher, cipher_for
from fairwatt.core.tokens.ea07 import Tables
from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.identity import KeyName, KeyType, read_card, read_meter_number
from fairwatt.server.errors import BadInput, OperatorError
from fairwatt.server.vending_keys import load_tables, load_vault
from fairwatt.vending.software import SoftwareVault

REFUSALS: Final = {
    *("wrong_key", "unknown_kind", "malformed"),
    *("tables_missing", "key_ended", "unknown_group", "key_kept", "outside_base_date"),
}
"""What was asked for properly and is refused: exit code 1. Everything else is bad input: 2."""

Key = Annotated[
    str,
    typer.Option(
        help="The meter's own key, 16 or 32 hexadecimal digits. Other users see it: for tests only."
    ),
]
Meter = Annotated[str, typer.Option(help="The meter's number: 18 digits, or 11 or 13 on its face.")]
Card = Annotated[str, typer.Option(help="The card's record instead: PAN===TCT EA SGC TI KRN.")]
Sgc = Annotated[str, typer.Option(help="Supply group code, six digits.")]
Ti = Annotated[int, typer.Option(help="Tariff index.", min=0, max=99)]
Krn = Annotated[int, typer.Option(help="Key revision number.", min=1, max=9)]
Kt = Annotated[int, typer.Option(help="Key type: 0 DITK, 1 DDTK, 2 DUTK, 3 DCTK.", min=0, max=3)]
Ea = Annotated[int, typer.Option(help="Algorithm: 11, or 7 with --tables.")]
Keys = Annotated[
    Path | None,
    typer.Option(help="File of vending keys, mode 0600; by default the variable FAIRWATT_STS_KEYS."),
]
TablesFile = Annotated[Path | None, typer.Option("--tables", help="JSON of EA07's tables s1, s2, p.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, kw_only=True)
class DirectKey:
    """A meter's own key, given in the open."""

    algorithm: Algorithm
    cipher: Cipher


@dataclass(frozen=True, kw_only=True)
class KeptKey:
    """A key in a vault, by its name."""

    name: KeyName
    vault: SoftwareVault


def direct(*, key: str, tables: Tables | None) -> DirectKey:
    """The cipher of a key in hexadecimal; its length tells its algorithm. Raises BadInput, TokenError."""
    raw = raw_key(key)
    algorithm = next((one for one in Algorithm if one.key_bytes == len(raw)), Algorithm.EA11)
    return DirectKey(algorithm=algorithm, cipher=cipher_for(algorithm=algorithm, key=raw, tables=tables))


def raw_key(key: str) -> bytes:
    """The bytes of a key in hexadecimal. Raises BadInput, which does not repeat it."""
    try:
        return bytes.fromhex(key)
    except ValueError:
        raise BadInput("--key is not hexadecimal. No code was made or read; give 16 or 32 digits.") from None


def named(*, meter: str, card: str, sgc: str, ti: int, krn: int, kt: int, ea: int) -> KeyName:
    """Which key a meter holds, by its card or by its number and group. Raises BadInput, TokenError."""
    if card:
        return read_card(card).name
    if not meter or not sgc:
        raise BadInput(
            "Which key is it for? No code was made or read; say --meter and --sgc, or --card, or give the key with "
            "--key."
        )
    if ea not in Algorithm:
        raise BadInput(f"There is no algorithm {ea} here. No code was made or read; --ea is 11 or 7.")
    return KeyName(
        pan=read_meter_number(meter), sgc=sgc, ti=ti, krn=krn, kt=KeyType(kt), algorithm=Algorithm(ea)
    )


def kept(name: KeyName, *, keys: Path | None, tables: Path | None) -> KeptKey:
    """A key in the vault of this machine. Raises OperatorError."""
    return KeptKey(name=name, vault=load_vault(keys_file=keys, tables_file=tables))


def chosen(
    *, key: str, name: Callable[[], KeyName], keys: Path | None, tables: Path | None
) -> DirectKey | KeptKey:
    """The key that was given in the open, or else the named one in the vault. Raises OperatorError, TokenError."""
    if key:
        return direct(key=key, tables=load_tables(tables))
    return kept(name(), keys=keys, tables=tables)


def as_operator(error: TokenError) -> OperatorError:
    """A refusal of the core as an error of the command line: its stable code, then its sentence."""
    text = f"{error.code}: {error}"
    return OperatorError(text) if error.code in REFUSALS else BadInput(text)
