"""A meter's decoder key out of a supply group's vending key: DKGA02 and DKGA04 of IEC 62055-41.

DKGA01 and DKGA03 are withdrawn and not known here. Nobody but a vault calls this: what it returns is the key.
"""

from __future__ import annotations

import hmac
from typing import Final

from fairwatt.core.tokens.cipher import Algorithm
from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.identity import KeyName, KeyType
from fairwatt.core.tokens.tid import BaseDate

VENDING_KEY_BYTES: Final = {"02": 8, "04": 20}
_LONG_IIN: Final = 6
_SHORT_IIN: Final = 4
_IIN_AND_IAIN: Final = 17


class DerivationImpossible(TokenError):
    """No key can be derived this way: the algorithm is not known, or the vending key does not fit it."""

    code = "derivation_impossible"


def decoder_key(*, dkga: str, vending_key: bytes, name: KeyName, base: BaseDate | None) -> bytes:
    """Derive the key a meter holds. Raises DerivationImpossible."""
    needed = VENDING_KEY_BYTES.get(dkga)
    if needed is None:
        raise DerivationImpossible(
            "Keys cannot be derived by DKGA%(dkga)s here, only by 02 and 04. No code was made; correct the keys.",
            dkga=dkga[:10],
        )
    if len(vending_key) != needed:
        raise DerivationImpossible(
            "A vending key of DKGA%(dkga)s has %(needed)s bytes, not %(given)s. No code was made; correct the keys.",
            dkga=dkga,
            needed=needed,
            given=len(vending_key),
        )
    if dkga == "02":
        return _dkga02(vending_key, name)
    if base is None:
        raise DerivationImpossible("DKGA04 needs a base date. No code was made; write it beside the key.")
    return _dkga04(vending_key, name, base)


def blocks_of(name: KeyName) -> tuple[bytes, bytes]:
    """PANBLOCK and CONTROLBLOCK of DKGA02: sixteen digits of four bits each."""
    number = name.pan.digits[:_IIN_AND_IAIN]
    if name.kt is KeyType.COMMON:
        iin = _SHORT_IIN if number.startswith("0000") else _LONG_IIN
        number = number[:iin].ljust(_IIN_AND_IAIN, "0")
    control = f"{name.kt:d}{name.sgc}{name.ti:02d}{name.krn}".ljust(16, "F")
    return bytes.fromhex(number[-16:]), bytes.fromhex(control)


def data_block_of(name: KeyName, base: BaseDate) -> bytes:
    """What DKGA04 authenticates: each field behind its length, then the length of the key in bits."""
    fields = ("04", base.value, f"{name.algorithm.value:02d}", f"{name.ti:02d}")
    head = b"".join(bytes([len(field)]) + field.encode() for field in fields)
    tail = (name.sgc, f"{name.kt:X}", f"{name.krn:X}", name.pan.digits)
    body = b"".join(bytes([len(field)]) + field.encode() for field in tail)
    bits = name.algorithm.key_bytes * 8
    return b"\x04" + head + b"\x00\x04" + body + bits.to_bytes(4)


def _dkga02(vending_key: bytes, name: KeyName) -> bytes:
    if name.algorithm is not Algorithm.EA07:
        raise DerivationImpossible(
            "DKGA02 makes keys for EA07 only. No code was made; give the meter's supply group a key of DKGA04."
        )
    pan, control = blocks_of(name)
    mixed = int.from_bytes(pan) ^ int.from_bytes(control)
    sealed = int.from_bytes(_des(vending_key, mixed.to_bytes(8)))
    return (sealed ^ mixed ^ int.from_bytes(vending_key)).to_bytes(8)


def _des(key: bytes, block: bytes) -> bytes:
    """The standard's own single DES: three equal keys make TripleDES that."""
    # Here, because nothing else of the codes needs more than the base install.
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes

    cipher = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()  # noqa: S305
    return cipher.update(block) + cipher.finalize()


def _dkga04(vending_key: bytes, name: KeyName, base: BaseDate) -> bytes:
    made = hmac.digest(vending_key, data_block_of(name, base), "sha256")
    return made[: name.algorithm.key_bytes]
