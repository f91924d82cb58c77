"""The number a home is paid under: strangers type it into telephones and bank forms, so it carries check digits.

ISO 7064 MOD 97-10, as in an IBAN: no single wrong digit and no two digits exchanged make another valid number.
"""

from __future__ import annotations

import re
from typing import Final

from fairwatt.core.refusal import Refusal

FIRST: Final = 100_000
"""Added to a wallet's id: no number begins with a zero, which spreadsheets and bank forms would lose."""
DIGITS_MIN: Final = 8
CHECK: Final = 2
DIGITS_MAX: Final = 18
_GROUPED: Final = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){7,17}(?![0-9])")
_BREAKS: Final = re.compile(r"[ \-]")


class NotAnAccount(Refusal):
    """A number that no home is paid under."""


def account_number(*, wallet: int) -> str:
    """The number that a wallet is paid under: at least eight digits, the last two of them check digits."""
    if wallet <= 0:
        raise ValueError(f"wallet {wallet} has no account number")
    body = wallet + FIRST
    return f"{body}{98 - body * 100 % 97:02d}"


def in_groups(*, number: str) -> str:
    """The number as people read it: groups of four from the right."""
    first = len(number) % 4 or 4
    return " ".join([number[:first], *(number[n : n + 4] for n in range(first, len(number), 4))])


def looks_like_one(*, text: str) -> bool:
    """Whether somebody who typed this meant an account number."""
    return bool(_GROUPED.fullmatch(text.strip()))


def wallet_of(*, text: str) -> int:
    """The wallet that an account number names, as it was typed. Raises NotAnAccount.

    That such a wallet exists is another question.
    """
    digits = _BREAKS.sub("", text.strip())
    if not digits.isascii() or not digits.isdecimal() or not DIGITS_MIN <= len(digits) <= DIGITS_MAX:
        raise NotAnAccount("An account number has eight digits or more. Nothing was taken; type it again.")
    wallet = int(digits[:-CHECK]) - FIRST
    if wallet <= 0 or account_number(wallet=wallet) != digits:
        raise NotAnAccount(
            "The check digits of %(number)s do not fit: a digit is wrong. Nothing was taken; type it again.",
            number=in_groups(number=digits),
        )
    return wallet


def wallets_in(*, text: str) -> frozenset[int]:
    """The wallets named in free words, such as the reference of a bank transfer; those whose check digits fit."""
    found = set()
    for word in _GROUPED.findall(text):
        try:
            found.add(wallet_of(text=word))
        except NotAnAccount:
            continue
    return frozenset(found)
