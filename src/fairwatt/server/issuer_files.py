"""The signing key of the head-end and its successor, as files.

One name changes at a time, and whatever crash comes between can be gone on from.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from fairwatt.server.keys import ISSUER, issuer_kid, load_private_key
from fairwatt.server.secret_files import write_once

NEXT: Final = "issuer_next"
"""Made and offered to the gateways; signs nothing yet."""
OLD: Final = "issuer_old"
"""Signed until its successor was promoted; kept until no gateway obeys it any more."""
_NOTE: Final = "issuer_promoted.json"


def make_next(folder: Path) -> Ed25519PublicKey:
    """The key that is to sign next, made if there is none; its public half."""
    private = Ed25519PrivateKey.generate()
    write_once(
        folder / f"{NEXT}.pem", private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return load_private_key(folder, name=NEXT).public_key()


def has(folder: Path, name: str) -> bool:
    """Whether there is such a key."""
    return (folder / f"{name}.pem").exists()


def promote(folder: Path, *, starts: Callable[[], Mapping[int, int]]) -> None:
    """Let the next key sign from the next start of a head-end on; the old one is kept under its own name.

    ``starts`` says how often the head-end of each book has started; `promoted_at` tells it again. It is asked before
    and after: a head-end that starts in between may have read either key.
    """
    _note(folder, starts())
    write_once(folder / f"{OLD}.pem", (folder / f"{ISSUER}.pem").read_bytes())
    (folder / f"{NEXT}.pem").replace(folder / f"{ISSUER}.pem")
    write_public(folder)
    _note(folder, starts())


def _note(folder: Path, starts: Mapping[int, int]) -> None:
    draft = folder / f".{_NOTE}"
    draft.write_text(json.dumps({str(book): count for book, count in starts.items()}))
    draft.replace(folder / _NOTE)


def write_public(folder: Path) -> None:
    """Put the public half beside the issuer's key; also after a crash in the middle of `promote`."""
    draft, public = folder / f".{ISSUER}.pub", load_private_key(folder, name=ISSUER).public_key()
    draft.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    draft.chmod(0o644)
    draft.replace(folder / f"{ISSUER}.pub.pem")


def promoted_at(folder: Path) -> dict[int, int]:
    """How often the head-end of each book had started when the key was promoted."""
    try:
        found: Any = json.loads((folder / _NOTE).read_text())
    except (OSError, ValueError):
        return {}
    return {int(book): int(count) for book, count in found.items()}


def forget_old(folder: Path) -> None:
    """Delete the key that nobody obeys any more."""
    (folder / f"{OLD}.pem").unlink(missing_ok=True)
    (folder / _NOTE).unlink(missing_ok=True)


def kid_of(folder: Path, *, name: str) -> str:
    """The short name of a key, in hex, as gateways report it."""
    return issuer_kid(load_private_key(folder, name=name).public_key()).hex()
