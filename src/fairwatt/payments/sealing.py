"""Merchants' secrets at rest: sealed to a public key, so that who stores one cannot read it again.

HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM. The account's token is bound in: a sealed secret that is
copied to another account cannot be opened there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class SealBroken(ValueError):
    """What was sealed cannot be opened with this key, or belongs to another account."""


def seal(*, secrets: Mapping[str, Any], to: X25519PublicKey, token: str) -> bytes:
    """Seal the secrets of an account."""
    return _SUITE.encrypt(json.dumps(secrets, sort_keys=True).encode(), to, info=_bound(token))


def unseal(*, sealed: bytes, key: X25519PrivateKey, token: str) -> dict[str, Any]:
    """Open them. Raises SealBroken."""
    try:
        opened: dict[str, Any] = json.loads(_SUITE.decrypt(sealed, key, info=_bound(token)))
    except (InvalidTag, ValueError):
        raise SealBroken("a merchant's secrets cannot be opened with the key of this installation") from None
    return opened


def _bound(token: str) -> bytes:
    return b"fairwatt merchant " + token.encode()
