"""The payment providers of this installation, as the web may use them: public keys only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

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
