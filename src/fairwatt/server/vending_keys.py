"""Vending keys and cipher tables of this machine, read once and handed to a vault."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fairwatt.core.spans import UnknownZone, zone_info
from fairwatt.core.tokens.ea07 import Tables
from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.identity import KeyName, KeyType, MeterPan
from fairwatt.core.tokens.tid import KEN_MAX, BaseDate
from fairwatt.server.errors import BadInput, OperatorError
from fairwatt.vending.derive import VENDING_KEY_BYTES
from fairwatt.vending.software import SoftwareVault, VendingKey
from fairwatt.vending.vault import SupplyGroup

KEYS_VARIABLE: Final = "FAIRWATT_STS_KEYS"
_BYTES_MAX: Final = 1_000_000
_FIELDS: Final = frozenset({"sgc", "krn", "kt", "dkga", "base_date", "ken", "zone", "key"})
_ANY_METER: Final = MeterPan("600727000000000009")


class KeysClosed(OperatorError):
    """There are no vending keys, or others may read them: nothing is sold under such keys."""


def load_vault(
    *, keys_file: Path | None, tables_file: Path | None, env: Mapping[str, str] | None = None
) -> SoftwareVault:
    """Make a vault of the keys in a file of mode 0600, or of the variable FAIRWATT_STS_KEYS.

    For development and private supply groups. Raises KeysClosed, and BadInput without repeating any key.
    """
    found = (os.environ if env is None else env).get(KEYS_VARIABLE)
    if keys_file is not None:
        where, text = str(keys_file), _read_private(keys_file)
    elif found:
        where, text = KEYS_VARIABLE, found
    else:
        raise KeysClosed(
            f"There are no vending keys: neither a file of them (--keys) nor {KEYS_VARIABLE}. No code was made or "
            "read; give one of them, or the meter's own key with --key."
        )
    return SoftwareVault(keys=_keys(text, where), tables=load_tables(tables_file))


def load_tables(path: Path | None) -> Tables | None:
    """The operator's tables of EA07, from JSON `{"s1": [...], "s2": [...], "p": [...]}`. Raises BadInput."""
    if path is None:
        return None
    try:
        said = json.loads(_read(path))
        return Tables(**{name: tuple(int(entry) for entry in said[name]) for name in ("s1", "s2", "p")})
    except (KeyError, TypeError, ValueError) as error:
        why = str(error) if isinstance(error, TokenError) else "it holds no lists s1, s2 and p of numbers."
        raise BadInput(f"{path} cannot be used as tables of EA07: {why}") from error


def _keys(text: str, where: str) -> list[VendingKey]:
    try:
        said = json.loads(text)
        entries = said["keys"]
        return [_key(entry) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        # The parser's own words may quote the text, and the text is keys.
        why = (
            str(error)
            if isinstance(error, TokenError | _Wrong)
            else 'it reads {"keys": [{"sgc": ..., "key": ...}]}'
        )
        raise BadInput(
            f"{where} cannot be used as vending keys: {why}. No code was made; correct it."
        ) from None


class _Wrong(ValueError):
    """A field of a key that cannot be; says nothing of the key itself."""


def _key(entry: Mapping[str, Any]) -> VendingKey:
    if not isinstance(entry, dict) or entry.keys() - _FIELDS:
        # Unknown names are not repeated: a key that slipped out of its place would be.
        raise _Wrong(f"an entry has fields that are not known; known are {', '.join(sorted(_FIELDS))}")
    dkga, base, zone = (
        str(entry.get("dkga", "04")),
        str(entry.get("base_date", "14")),
        str(entry.get("zone", "UTC")),
    )
    if dkga not in VENDING_KEY_BYTES or base not in BaseDate:
        raise _Wrong("dkga is 02 or 04, base_date 93, 14 or 35")
    ken, kt = entry.get("ken", KEN_MAX), entry.get("kt", int(KeyType.UNIQUE))
    if not isinstance(ken, int) or not 0 <= ken <= KEN_MAX or kt not in KeyType:
        raise _Wrong("ken is 0 to 255, kt 0 to 3")
    try:
        key = bytes.fromhex(entry["key"])
        zone_info(zone)
    except UnknownZone as error:
        raise _Wrong(str(error)) from error
    except ValueError:
        raise _Wrong("key is not hexadecimal text") from None
    if len(key) != VENDING_KEY_BYTES[dkga]:
        raise _Wrong(f"key has {len(key)} bytes; DKGA{dkga} takes {VENDING_KEY_BYTES[dkga]}")
    name = KeyName(pan=_ANY_METER, sgc=str(entry["sgc"]), ti=0, krn=int(entry["krn"]), kt=KeyType(kt))
    group = SupplyGroup(sgc=name.sgc, krn=name.krn, kt=name.kt, base=BaseDate(base), ken=ken, zone=zone)
    return VendingKey(group=group, dkga=dkga, key=key)


def _read_private(path: Path) -> str:
    """Read a file that nobody but its owner may open. Raises KeysClosed where others may."""
    return _read(path, private=True)


def _read(path: Path, *, private: bool = False) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise BadInput(f"{path} is no plain file. No code was made; name the file itself.")
            if private and mode & 0o077:
                raise KeysClosed(
                    f"{path} can be read by other users of this machine (mode {mode & 0o777:04o}), so its keys are not "
                    f"used. No code was made; run `chmod 600 {path}`, and replace the keys if others had access."
                )
            return file.read(_BYTES_MAX).decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not text. No code was made; name another file.") from error
    except OSError as failure:
        raise BadInput(
            f"{path} cannot be read ({failure.strerror}). No code was made; name a file that is there."
        ) from failure
