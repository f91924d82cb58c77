"""What a keeper of vending keys does for us. A security module (HSM) fits behind this, and so does a file.

Keys never leave: a vault derives and encrypts inside, and gives out finished codes and what is public about a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.identity import KeyName, KeyType
from fairwatt.core.tokens.kinds import Token
from fairwatt.core.tokens.tid import KEN_MAX, BaseDate


class UnknownGroup(TokenError):
    """No key of this supply group, revision and type is kept here."""

    code = "unknown_group"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyGroup:
    """What may be known of a vending key: whose it is, what minutes are counted from, and when it ends."""

    sgc: str
    krn: int
    kt: KeyType
    base: BaseDate
    ken: int = KEN_MAX
    zone: str = "UTC"
    """Whose wall clock its minutes are: UTC, or in systems older than the 2014 base date a local zone."""


class KeyVault(Protocol):
    """Keeps vending keys. Every method raises UnknownGroup for a key it does not keep."""

    def group(self, name: KeyName) -> SupplyGroup:
        """What is public about the vending key that this meter's key comes from."""
        ...

    def encode(self, *, name: KeyName, token: Token) -> str:
        """The twenty digits of a code for the holder of this key."""
        ...

    def decode(self, *, name: KeyName, digits: str) -> Token:
        """What a code says to the holder of this key. Raises what `core.tokens.code.decode` raises."""
        ...

    def change_key(self, *, now: KeyName, then: KeyName) -> tuple[str, ...]:
        """The codes that take a meter from one key to another, in the order they are usually typed."""
        ...
