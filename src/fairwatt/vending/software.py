"""A vault in this process: for development, and for private supply groups that carry the risk themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from fairwatt.core.tokens.cipher import Algorithm, Cipher, cipher_for
from fairwatt.core.tokens.code import decode, encode
from fairwatt.core.tokens.ea07 import Tables, TablesMissing
from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.identity import KeyName
from fairwatt.core.tokens.key_change import DecoderKey, KeyChangeImpossible, KeySection, cut
from fairwatt.core.tokens.kinds import Token

from .derive import decoder_key
from .vault import SupplyGroup, UnknownGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class VendingKey:
    """A key of a supply group, and how meters' keys come from it: DKGA `02` (8 bytes) or `04` (20 bytes)."""

    group: SupplyGroup
    dkga: str
    key: bytes = field(repr=False)


class KeyKept(TokenError):
    """A code whose content is a key."""

    code = "key_kept"


class SoftwareVault:
    """Vending keys in memory. It shows no key, not even to a traceback."""

    def __init__(self, *, keys: Iterable[VendingKey], tables: Tables | None = None) -> None:
        self._keys = {(one.group.sgc, one.group.krn, one.group.kt): one for one in keys}
        self._tables = tables

    def __repr__(self) -> str:
        return f"SoftwareVault({len(self._keys)} keys)"

    def group(self, name: KeyName) -> SupplyGroup:
        """What is public about the vending key behind a meter's key. Raises UnknownGroup."""
        return self._kept(name).group

    def encode(self, *, name: KeyName, token: Token) -> str:
        """Make a code."""
        return encode(token=token, cipher=self._cipher(name))

    def decode(self, *, name: KeyName, digits: str) -> Token:
        """Read a code. Raises KeyKept for a part of a key change: a vault shows no key."""
        token = decode(digits=digits, cipher=self._cipher(name), algorithm=name.algorithm)
        if isinstance(token, KeySection):
            raise KeyKept(
                "This code is whole and carries a part of a new key for this meter, which is not shown. Nothing was "
                "changed; type it into the meter with the others of its set."
            )
        return token

    def change_key(self, *, now: KeyName, then: KeyName) -> tuple[str, ...]:
        """Make the codes of a key change: four for EA11; for EA07 two, or three when the supply group changes.

        Raises KeyChangeImpossible for another meter or another algorithm: codes cannot change those.
        """
        if now.pan != then.pan or now.algorithm is not then.algorithm:
            raise KeyChangeImpossible(
                "A key change stays with its meter and its algorithm. No code was made; name both keys for one meter."
            )
        old, new, cipher = self._kept(now).group, self._kept(then), self._cipher(now)
        names_group = then.algorithm is Algorithm.EA11 or now.sgc != then.sgc
        key = DecoderKey(
            key=self._derived(then),
            algorithm=then.algorithm,
            kt=then.kt,
            krn=then.krn,
            ti=then.ti,
            ken=new.group.ken,
            sgc=then.sgc if names_group else None,
        )
        sections = cut(new=key, rollover=old.base is not new.group.base)
        return tuple(encode(token=section, cipher=cipher) for section in sections)

    def _kept(self, name: KeyName) -> VendingKey:
        kept = self._keys.get((name.sgc, name.krn, name.kt))
        if kept is None:
            raise UnknownGroup(
                "No key of supply group %(sgc)s, revision %(krn)s, type %(kt)s is kept here. No code was made or read; "
                "check the group and revision on the meter's card, or load the key.",
                sgc=name.sgc,
                krn=name.krn,
                kt=int(name.kt),
            )
        return kept

    def _derived(self, name: KeyName) -> bytes:
        kept = self._kept(name)
        return decoder_key(dkga=kept.dkga, vending_key=kept.key, name=name, base=kept.group.base)

    def _cipher(self, name: KeyName) -> Cipher:
        if name.algorithm is Algorithm.EA07 and self._tables is None:
            raise TablesMissing
        return cipher_for(algorithm=name.algorithm, key=self._derived(name), tables=self._tables)
