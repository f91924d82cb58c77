"""The payment providers and merchant accounts of this installation, as the web may use them: to read callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from fairwatt.flows.merchants import Merchants, Seals
from fairwatt.payments.contract import PaymentProvider
from fairwatt.payments.registry import providers


@lru_cache(maxsize=1)
def open_providers() -> Mapping[str, PaymentProvider]:
    """Providers by name. Raises ImproperlyConfigured when the sandbox platform's key cannot be read."""
    try:
        key = load_pem_public_key(settings.FAIRWATT_SANDBOX_KEY.read_bytes())
    except (OSError, ValueError) as unreadable:
        raise ImproperlyConfigured(
            f"The key of the payment platform cannot be read ({unreadable}), so nobody can pay; no money moved. "
            "Run `fairwatt services` once, or restore the file from your backup."
        ) from unreadable
    if not isinstance(key, Ed25519PublicKey):
        raise ImproperlyConfigured(
            "The key of the payment platform is not an Ed25519 key, so nobody can pay."
        )
    return providers(sandbox_key=key, sandbox_checkout=settings.FAIRWATT_PAYSIM_URL)


@lru_cache(maxsize=1)
def open_merchants() -> Merchants:
    """Merchants' accounts, to read what they are told. Raises ImproperlyConfigured when the key cannot be read."""
    try:
        key = load_pem_private_key((settings.FAIRWATT_KEYS / "merchant_reading.pem").read_bytes(), None)
    except (OSError, ValueError) as unreadable:
        raise ImproperlyConfigured(_unreadable(unreadable)) from unreadable
    if not isinstance(key, X25519PrivateKey):
        raise ImproperlyConfigured(_unreadable(TypeError("it is not an X25519 key")))
    return Merchants(reading=key)


@lru_cache(maxsize=1)
def seals() -> Seals:
    """What merchants' secrets are sealed to."""
    return Seals(reading=_public("merchant_reading"), acting=_public("merchant_acting"))


def _public(name: str) -> X25519PublicKey:
    try:
        key = load_pem_public_key((settings.FAIRWATT_KEYS / f"{name}.pub.pem").read_bytes())
    except (OSError, ValueError) as unreadable:
        raise ImproperlyConfigured(_unreadable(unreadable)) from unreadable
    if not isinstance(key, X25519PublicKey):
        raise ImproperlyConfigured(_unreadable(TypeError("it is not an X25519 key")))
    return key


def _unreadable(why: Exception) -> str:
    return (
        f"The key for merchants' accounts cannot be read ({why}); no callback of theirs can be checked, and no money "
        "moves. Run `fairwatt services` once, or restore the file from your backup."
    )
