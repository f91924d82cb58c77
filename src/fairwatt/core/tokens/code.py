"""Twenty digits: a block with its check, encrypted, with the class put among its bits."""

from __future__ import annotations

from typing import Final

from .cipher import Algorithm, Cipher
from .crc import check_of
from .errors import TokenError
from .kinds import Token, UnknownKind, unpack

DIGITS: Final = 20
_LIMIT: Final = 1 << 66
_CLASS_AT: Final = 27
_CLASS_MASK: Final = 3 << _CLASS_AT
_UNENCRYPTED: Final = 1


class NotDigits(TokenError):
    """What was given is not twenty digits."""

    code = "not_digits"


class NoCode(TokenError):
    """Twenty digits that no code has: more than 66 bits."""

    code = "no_code"


class WrongKey(TokenError):
    """The check does not fit: another meter, another key, or a wrong digit."""

    code = "wrong_key"


def block_of(token: Token) -> int:
    """The 64 bits before encryption: the code's fields and their check."""
    b48 = token.pack()
    return b48 << 16 | check_of(token_class=token.token_class, b48=b48)


def encode(*, token: Token, cipher: Cipher | None) -> str:
    """Make the twenty digits of a code. Class 1 needs no cipher; the others raise WrongKey without one."""
    block = block_of(token)
    if token.token_class != _UNENCRYPTED:
        if cipher is None:
            raise _wrong_key()
        block = cipher.encrypt(block)
    return digits_of(token_class=token.token_class, encrypted=block)


def decode(*, digits: str, cipher: Cipher | None, algorithm: Algorithm) -> Token:
    """Read twenty digits under a key. Raises NotDigits, NoCode, WrongKey, UnknownKind, Malformed."""
    token_class, block = split(digits)
    return read_block(token_class=token_class, block=opened(token_class, block, cipher), algorithm=algorithm)


def opened(token_class: int, block: int, cipher: Cipher | None) -> int:
    """Decrypt a block, where its class is encrypted at all."""
    if token_class == _UNENCRYPTED:
        return block
    if cipher is None:
        raise _wrong_key()
    return cipher.decrypt(block)


def read_block(*, token_class: int, block: int, algorithm: Algorithm) -> Token:
    """Check a decrypted block and read it. Raises WrongKey, UnknownKind, Malformed."""
    b48 = block >> 16
    if check_of(token_class=token_class, b48=b48) != block & 0xFFFF:
        raise _wrong_key()
    return unpack(token_class=token_class, b48=b48, algorithm=algorithm)


def digits_of(*, token_class: int, encrypted: int) -> str:
    """Put the class into bits 28 and 27, and what stood there before the block."""
    displaced = (encrypted & _CLASS_MASK) >> _CLASS_AT
    number = displaced << 64 | encrypted & ~_CLASS_MASK | token_class << _CLASS_AT
    return f"{number:0{DIGITS}d}"


def split(digits: str) -> tuple[int, int]:
    """The class and the encrypted block of twenty digits; blanks and dashes between them are nothing.

    Raises NotDigits, NoCode, and UnknownKind for class 3, which is reserved.
    """
    plain = "".join(digits.split()).replace("-", "")
    if len(plain) != DIGITS or not (plain.isascii() and plain.isdigit()):
        raise NotDigits(
            "A code has 20 digits; here are %(count)s signs. Nothing was changed; type all digits of the receipt.",
            count=len(plain),
        )
    number = int(plain)
    if number >= _LIMIT:
        raise NoCode(
            "No code has these digits; one of the first must be wrong. Nothing was changed; compare them with the "
            "receipt."
        )
    token_class = (number & _CLASS_MASK) >> _CLASS_AT
    if token_class > 2:
        raise UnknownKind(
            "This code is of class %(token_class)s, which no meter knows; a digit must be wrong. Nothing was "
            "changed; compare them with the receipt.",
            token_class=token_class,
        )
    block = number & (1 << 64) - 1 & ~_CLASS_MASK | number >> 64 << _CLASS_AT
    return token_class, block


def _wrong_key() -> WrongKey:
    return WrongKey(
        "This code does not fit this meter: it is for another meter or another key, or a digit is wrong. Nothing was "
        "changed; compare the digits and the meter number with the receipt."
    )
