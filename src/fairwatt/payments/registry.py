"""The providers this installation takes money through; a new provider is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairwatt.payments.contract import PaymentProvider
from fairwatt.payments.sandbox import SandboxProvider


def providers(*, sandbox_key: Ed25519PublicKey, sandbox_checkout: str) -> Mapping[str, PaymentProvider]:
    """Return the providers by name."""
    sandbox = SandboxProvider(public_key=sandbox_key, checkout=sandbox_checkout)
    return {sandbox.name: sandbox}
