"""Keys of the simulated platforms and of the shops there: made anew each time, and worth nothing anywhere else."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


@dataclass
class ShopKeys:
    """What a shop was given by its platform, and what the platform signs with for it."""

    words: dict[str, str] = field(repr=False)
    """API keys, passwords, secrets"""

    @classmethod
    def make(cls) -> ShopKeys:
        """Fresh ones."""
        return cls(
            words={
                "api_key": secrets.token_hex(16),
                "secret_key": f"sk_test_{secrets.token_hex(12)}",
                "webhook_secret": f"whsec_{secrets.token_hex(16)}",
                "consumer_key": secrets.token_hex(8),
                "consumer_secret": secrets.token_hex(12),
                "passkey": secrets.token_hex(16),
                "token": secrets.token_hex(12),
            },
        )

    # Made when they are first wanted: two of the platforms sign nothing, and such keys take long.
    @cached_property
    def merchant(self) -> RSAPrivateKey:
        """What the shop signs with."""
        return _rsa()

    @cached_property
    def platform(self) -> dict[str, RSAPrivateKey]:
        """What the platform signs with, by serial; the newest signs."""
        return {"PUB_KEY_ID_0001": _rsa()}

    def rotate(self) -> str:
        """One more key of the platform, which signs from now on; returns its serial."""
        serial = f"PUB_KEY_ID_{len(self.platform) + 1:04d}"
        self.platform[serial] = _rsa()
        return serial


def private_pem(key: RSAPrivateKey) -> str:
    """As a shop keeps it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: RSAPublicKey) -> str:
    """As a platform hands it out."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _rsa() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)
