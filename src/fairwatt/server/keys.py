"""The Ed25519 keys an installation makes for itself at its first start."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from fairwatt.server.errors import OperatorError
from fairwatt.server.secret_files import write_once

ISSUER: Final = "issuer"
"""Signs commands to meters. Only the head-end may open its private half."""
SANDBOX_PROVIDER: Final = "sandbox_provider"
"""Signs callbacks of the sandbox payment platform. The web holds the public half only."""

EINVOICE: Final = "einvoice"
"""Signs requests for e-fapiao: the collector alone may open its private half; the platform is given the public one."""
MERCHANT_READING: Final = "merchant_reading"
"""Opens what callbacks are checked with: web, poster and collector hold its private half."""
MERCHANT_ACTING: Final = "merchant_acting"
"""Opens what acts in a merchant's name: the collector alone may open its private half."""


class KeyUnusable(OperatorError):
    """A key file is absent, closed to this user, or of another kind."""


def ensure_keys(folder: Path) -> None:
    """Make the key pairs that do not exist yet: `<name>.pem` (0600) and `<name>.pub.pem` (0644)."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    for name in (ISSUER, SANDBOX_PROVIDER, EINVOICE):
        _ensure_pair(folder, name, Ed25519PrivateKey.generate(), load_private_key)
    for name in (MERCHANT_READING, MERCHANT_ACTING):
        _ensure_pair(folder, name, X25519PrivateKey.generate(), load_sealing_key)


def _ensure_pair[K: (Ed25519PrivateKey, X25519PrivateKey)](
    folder: Path, name: str, fresh: K, load: Callable[..., K]
) -> None:
    write_once(folder / f"{name}.pem", fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = load(folder, name=name).public_key()
    write_once(
        folder / f"{name}.pub.pem",
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        mode=0o644,
    )


def load_sealing_key(folder: Path, *, name: str) -> X25519PrivateKey:
    """The private half of a pair that things are sealed to; raises KeyUnusable."""
    path = folder / f"{name}.pem"
    key = _read(path)
    if not isinstance(key, X25519PrivateKey):
        raise _other_kind(path, "an X25519")
    return key


def load_sealing_public(folder: Path, *, name: str) -> X25519PublicKey:
    """The public half of it; raises KeyUnusable."""
    path = folder / f"{name}.pub.pem"
    key = _read(path)
    if not isinstance(key, X25519PublicKey):
        raise _other_kind(path, "an X25519")
    return key


def load_private_key(folder: Path, *, name: str) -> Ed25519PrivateKey:
    """The private half of `name`; raises KeyUnusable."""
    path = folder / f"{name}.pem"
    key = _read(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise _other_kind(path, "an Ed25519")
    return key


def load_public_key(folder: Path, *, name: str) -> Ed25519PublicKey:
    """The public half of `name`; raises KeyUnusable."""
    path = folder / f"{name}.pub.pem"
    key = _read(path)
    if not isinstance(key, Ed25519PublicKey):
        raise _other_kind(path, "an Ed25519")
    return key


def _read(path: Path) -> PrivateKeyTypes | PublicKeyTypes:
    try:
        pem = path.read_bytes()
        if path.name.endswith(".pub.pem"):
            return load_pem_public_key(pem)
        return load_pem_private_key(pem, password=None)
    except (OSError, ValueError) as broken:
        raise KeyUnusable(_help(path, broken)) from broken


def _other_kind(path: Path, wanted: str) -> KeyUnusable:
    return KeyUnusable(_help(path, TypeError(f"it is not {wanted} key")))


def issuer_kid(public: Ed25519PublicKey) -> bytes:
    """The short name meters know a signing key by: the first 4 bytes of its SHA-256."""
    return sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()[:4]


def _help(path: Path, cause: Exception) -> str:
    return (
        f"The key {path} cannot be used: {cause}. Nothing can be signed or checked with it, so supply stays "
        "as it is. Restore the file from your backup; meters trust only the key they were commissioned with."
    )
