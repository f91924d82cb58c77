"""Whose signature counts, and when: several keys of a provider at once, each with its days."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from fairwatt.payments.contract import BadCallbackSignature, UnknownSigningKey

FOREVER_US: Final = (1 << 62) - 1
RSA_BITS_MIN: Final = 2048


class BadKey(ValueError):
    """A key or certificate that cannot be used; the text repeats none of it."""


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """One key of a provider, by the name its signatures carry, valid from an instant to before another."""

    serial: str
    key: RSAPublicKey
    from_us: int = 0
    until_us: int = FOREVER_US


class KeyRing:
    """The keys of a provider for one merchant account; in a rotation the old and the new one hold side by side."""

    def __init__(self, keys: Iterable[ProviderKey]) -> None:
        self._keys = tuple(keys)

    def verify(self, *, serial: str, signature: str, text: bytes, at_us: int) -> None:
        """Raise BadCallbackSignature unless the key of that name, valid then, signed the text."""
        named = [one for one in self._keys if one.serial.upper() == serial.upper()]
        if not named:
            raise UnknownSigningKey(
                f"no key of this provider is called {printable(serial)}; no money was moved"
            )
        valid = [one for one in named if one.from_us <= at_us < one.until_us]
        if not valid:
            raise UnknownSigningKey(
                f"the key {printable(serial)} was not valid when it signed; no money was moved"
            )
        if not any(rsa_verified(key=one.key, signature=signature, text=text) for one in valid):
            raise BadCallbackSignature("the signature does not match the bytes; no money was moved")


def printable(text: str) -> str:
    """A name from outside, as an error may repeat it."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:60])


# The providers' own scheme is PKCS #1 v1.5 with SHA-256; for signatures it holds, and there is no choice.


def rsa_signed(*, key: RSAPrivateKey, text: bytes) -> str:
    """Base64 of the signature."""
    return base64.b64encode(key.sign(text, PKCS1v15(), SHA256())).decode()


def rsa_verified(*, key: RSAPublicKey, signature: str, text: bytes) -> bool:
    """Whether the key signed the text; a signature that is no base64 is none."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def load_public(pem: str) -> RSAPublicKey:
    """An RSA public key from PEM, or from the bare base64 that providers' consoles show. Raises BadKey."""
    try:
        key = load_pem_public_key(_armoured(pem, "PUBLIC KEY"))
    except (ValueError, TypeError):
        raise BadKey("a public key cannot be read: PEM or its base64 is wanted") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise BadKey(f"a public key is not RSA of {RSA_BITS_MIN} bits or more")
    return key


@lru_cache(maxsize=256)
def load_private(pem: str) -> RSAPrivateKey:
    """An RSA private key from PEM (PKCS #8 or #1), or from bare base64. Raises BadKey.

    Kept, because proving that its numbers are primes takes longer than all else that a callback needs.
    """
    for label in ("PRIVATE KEY", "RSA PRIVATE KEY"):
        try:
            key = load_pem_private_key(_armoured(pem, label), password=None)
        except (ValueError, TypeError):
            continue
        if isinstance(key, RSAPrivateKey) and key.key_size >= RSA_BITS_MIN:
            return key
        raise BadKey(f"a private key is not RSA of {RSA_BITS_MIN} bits or more")
    raise BadKey("a private key cannot be read: PEM or its base64 is wanted, without a password")


def load_certificate(pem: str) -> ProviderKey:
    """A provider's certificate as a key: its serial number and its days. Raises BadKey."""
    try:
        found = x509.load_pem_x509_certificate(_armoured(pem, "CERTIFICATE"))
        key = found.public_key()
    except ValueError:
        raise BadKey("a certificate cannot be read: PEM is wanted") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise BadKey(f"a certificate's key is not RSA of {RSA_BITS_MIN} bits or more")
    return ProviderKey(
        serial=f"{found.serial_number:X}",
        key=key,
        from_us=int(found.not_valid_before_utc.timestamp()) * 1_000_000,
        until_us=int(found.not_valid_after_utc.timestamp()) * 1_000_000,
    )


def _armoured(text: str, label: str) -> bytes:
    text = text.strip()
    if text.startswith("-----"):
        return text.encode()
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n".encode()
