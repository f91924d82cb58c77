"""The two encryption algorithms behind one face."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from . import ea07, misty1
from .errors import TokenError


class Algorithm(IntEnum):
    """EA of a supply group. 09 was withdrawn and is not known here."""

    EA07 = 7
    """Standard Transfer Algorithm: 64-bit keys, licensed tables"""
    EA11 = 11
    """MISTY1: 128-bit keys, no secret but the key"""

    @property
    def key_bytes(self) -> int:
        """How long a decoder key of this algorithm is."""
        return ea07.KEY_BYTES if self is Algorithm.EA07 else misty1.KEY_BYTES


class KeyLength(TokenError):
    """A key is not as long as its algorithm needs."""

    code = "key_length"


class Cipher(Protocol):
    """Encrypts and decrypts one block of 64 bits under a key it keeps to itself."""

    def encrypt(self, block: int) -> int: ...

    def decrypt(self, block: int) -> int: ...


def cipher_for(*, algorithm: Algorithm, key: bytes, tables: ea07.Tables | None = None) -> Cipher:
    """Make the cipher of a decoder key. Raises KeyLength, and TablesMissing for EA07 without its tables."""
    if len(key) != algorithm.key_bytes:
        raise KeyLength(
            "A key of algorithm EA%(ea)s has %(needed)s bytes, not %(given)s. No code was made or read; give "
            "the whole key.",
            ea=f"{algorithm.value:02d}",
            needed=algorithm.key_bytes,
            given=len(key),
        )
    if algorithm is Algorithm.EA11:
        return misty1.Misty1(key)
    if tables is None:
        raise ea07.TablesMissing
    return ea07.Ea07(key, tables)
