"""A payment of the ledger as twenty digits, carried by hand to a gateway that nobody can reach.

An STS token (EA11, currency credit, electricity) under a key of one meter, made of the secret that its gateway judges
restore codes by. It creates no money: the payment is in the ledger already. Its minute is the one in which the payment
was posted, so a gateway can tell whether the grant it holds knows the payment, and counts the token until one does.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from fairwatt.core.commands.restore_code import Marker
from fairwatt.core.spans import local_datetime
from fairwatt.core.tokens import meter as meters
from fairwatt.core.tokens.cipher import Algorithm, cipher_for
from fairwatt.core.tokens.code import WrongKey, encode
from fairwatt.core.tokens.credit import CurrencyCredit, Resource
from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.identity import KeyType, luhn, pan_of_drn
from fairwatt.core.tokens.key_change import DecoderKey
from fairwatt.core.tokens.meter import Counts, Meter
from fairwatt.core.tokens.tid import KEN_MAX, BaseDate, minute_of, tid_at

TYPED_WITHIN_DAYS: Final = 31
"""A token is typed so many days after its payment at the latest; of 2^24 minutes few are left to a guesser."""
AMOUNT_MAX_MICRO: Final = 10**12
"""A million of the currency: more is no payment of a home."""

_MICRO_PER_UNIT: Final = 10
_DAY_US: Final = 86_400_000_000
_KEY: Final = b"fairwatt/v1/carried-payment/"


class Outcome(StrEnum):
    """What came of a typed token; the same word is told to the server and put into sentences."""

    ACCEPTED = "token_accepted"
    MISTYPED = "token_mistyped"
    WRONG = "token_wrong"
    OTHER_METER = "token_other_meter"
    OTHER_KIND = "token_other_kind"
    USED = "token_used"
    OLD = "token_old"
    EXPIRED = "token_expired"
    NOT_YET = "token_not_yet"


class TooMuch(ValueError):
    """More than a token carries."""


class Made(NamedTuple):
    """A token as it is handed over. ``amount_micro``: what the gateway will count, rounded up as STS does."""

    digits: str
    tid: int
    minute_us: int
    amount_micro: int


class Verdict(NamedTuple):
    """What a token is worth at a meter; the rest is known once it is accepted. Store ``after`` before acting on it."""

    outcome: Outcome
    after: Meter
    amount_micro: int = 0
    paid_us: int = 0


def base_at(at_us: int, /) -> BaseDate:
    """The newest base date that is not after an instant: minutes are counted from there."""
    day = local_datetime(zone="UTC", at_us=at_us).date()
    return max((base for base in BaseDate if base.day <= day), key=lambda base: base.day)


def new_meter(*, marker: Marker, meter: int, at_us: int) -> Meter:
    """The virtual STS meter that a gateway keeps for one of its meters, with nothing taken yet."""
    # The number says who to people; what tells meters apart is the key, made with the whole number.
    drn = f"{meter % 10**12:012d}"
    return Meter(
        pan=pan_of_drn(drn + luhn(drn)),
        counts=Counts(resource=Resource.ELECTRICITY, in_money=True),
        held=_key(marker, meter, base_at(at_us)),
    )


def as_of(kept: Meter, *, marker: Marker, meter: int, at_us: int) -> Meter:
    """The kept meter at an instant: with a new base date comes a new key, and the old one is taken for a while."""
    key = _key(marker, meter, base_at(at_us))
    if key == kept.held:
        return kept
    return replace(kept, held=key, previous=kept.held, taken_before=kept.taken, taken=(), sections=())


def write_token(
    *, marker: Marker, meter: int, amount_micro: int, paid_us: int, taken: Collection[int] = ()
) -> Made:
    """Make the token of a payment. ``taken``: minutes of the meter's other tokens. Raises TooMuch, TokenError."""
    if not 0 < amount_micro <= AMOUNT_MAX_MICRO:
        raise TooMuch(f"a token carries more than nothing and at most {AMOUNT_MAX_MICRO} micro-units")
    base = base_at(paid_us)
    tid = tid_at(at_us=paid_us, base=base, taken=taken)
    token = CurrencyCredit(
        resource=Resource.ELECTRICITY, tid=tid, amount_1e5=-(-amount_micro // _MICRO_PER_UNIT)
    )
    cipher = cipher_for(algorithm=Algorithm.EA11, key=_key(marker, meter, base).key)
    return Made(encode(token=token, cipher=cipher), tid, _paid_us(tid, base), token.carried * _MICRO_PER_UNIT)


def judge(
    *, kept: Meter, digits: str, meter: int, others: Iterable[int], marker: Marker, now_us: int
) -> Verdict:
    """Say what twenty digits are worth at ``meter`` now. ``others``: the gateway's other meters."""
    here = as_of(kept, marker=marker, meter=meter, at_us=now_us)
    try:
        after, took = meters.enter(here, digits)
    except WrongKey:
        fresh = (new_meter(marker=marker, meter=other, at_us=now_us) for other in others)
        elsewhere = any(_opens(other, digits) for other in fresh)
        return Verdict(Outcome.OTHER_METER if elsewhere else Outcome.WRONG, kept)
    except TokenError as error:
        return Verdict(_REFUSED.get(error.code, Outcome.MISTYPED), kept)
    token = took.token
    if not (isinstance(token, CurrencyCredit) and 0 < token.carried * _MICRO_PER_UNIT <= AMOUNT_MAX_MICRO):
        return Verdict(Outcome.OTHER_KIND, kept)
    paid_us = _paid_us(token.tid, base_at(now_us))
    if paid_us > now_us + _DAY_US:
        # Of a base date before, or of a later day than the clock shows.
        earlier = [_paid_us(token.tid, base) for base in BaseDate if base.day < base_at(now_us).day]
        paid_us = next((at for at in earlier if 0 <= now_us - at <= TYPED_WITHIN_DAYS * _DAY_US), paid_us)
    if paid_us > now_us + _DAY_US:
        return Verdict(Outcome.NOT_YET, kept)
    if paid_us < now_us - TYPED_WITHIN_DAYS * _DAY_US:
        return Verdict(Outcome.EXPIRED, kept)
    return Verdict(Outcome.ACCEPTED, after, token.carried * _MICRO_PER_UNIT, paid_us)


_REFUSED: Final = {
    "used": Outcome.USED,
    "old": Outcome.OLD,
    "expired_key": Outcome.EXPIRED,
    "not_for_this_kind": Outcome.OTHER_KIND,
    "key_change_done": Outcome.OTHER_KIND,
}


def _opens(meter: Meter, digits: str) -> bool:
    try:
        meters.enter(meter, digits)
    except TokenError:
        return False
    return True


def _key(marker: Marker, meter: int, base: BaseDate) -> DecoderKey:
    # As DKGA04 does: the first half of an HMAC-SHA-256, here under a vending key of this one meter.
    made = marker(meter, _KEY + base.value.encode())
    return DecoderKey(
        key=made[: Algorithm.EA11.key_bytes],
        algorithm=Algorithm.EA11,
        kt=KeyType.UNIQUE,
        krn=1,
        ti=1,
        ken=KEN_MAX,
        sgc=None,
    )


def _paid_us(tid: int, base: BaseDate) -> int:
    minute = minute_of(tid=tid, base=base).replace(tzinfo=UTC)
    return (minute - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
