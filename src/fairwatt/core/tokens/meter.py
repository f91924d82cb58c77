"""The meter's side: take a code, once, and say what it did.

Nothing here switches or counts; whoever holds the registers does what the outcome says. A `Meter` is a value: `enter`
gives back the next one, to be stored before the outcome is acted on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from fairwatt.core.refusal import Sentence

from .cipher import cipher_for
from .code import WrongKey, opened, read_block, split
from .credit import CURRENCY_SUBCLASS, CurrencyCredit, Resource, TransferCredit
from .ea07 import Tables
from .errors import TokenError
from .identity import MeterPan
from .key_change import DecoderKey, KeySection, joined, needed
from .kinds import Credit, Setting, Showing, Token
from .outcome import did
from .settings import ALL_REGISTERS, ClearCredit, PowerLimit, UnbalanceLimit, WaterFactor
from .showing import MeterTest, WideMakerTest
from .tid import is_expired

MEMORY_MIN: Final = 50


class Used(TokenError):
    """A code this meter has taken before."""

    code = "used"


class Old(TokenError):
    """A code older than everything the meter remembers."""

    code = "old"


class ExpiredKey(TokenError):
    """The key's time is over for this code."""

    code = "expired_key"


class NotForThisKind(TokenError):
    """A code for another kind of meter."""

    code = "not_for_this_kind"


class KeyChangeDone(TokenError):
    """A code of a key change that this meter has behind it."""

    code = "key_change_done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a meter counts, and by that which codes it takes."""

    resource: Resource
    in_money: bool = False
    """whether its credit is money instead of units"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """All that a meter must keep through a power cut to take each code once."""

    pan: MeterPan
    counts: Counts
    held: DecoderKey
    taken: tuple[int, ...] = ()
    """Minutes of the codes taken, rising; the newest `memory` of them."""
    previous: DecoderKey | None = None
    """Kept so that a code sold before a key change still works after it."""
    taken_before: tuple[int, ...] | None = None
    """What was taken under the previous key, where the base date changed with it; None: `taken` holds for both."""
    proven: bool = True
    """Whether a code has come under the held key. Until one has, a key change under the previous key still counts: a
    set mixed up of two gives a key that nobody has, and no other way out of it."""
    sections: tuple[KeySection, ...] = field(default=(), repr=False)
    """Codes of a key change that is not whole yet, newest last: under the held key, or while that is not proven under
    the previous one."""
    memory: int = MEMORY_MIN

    def __post_init__(self) -> None:
        if self.memory < MEMORY_MIN:
            raise ValueError(f"a meter remembers at least {MEMORY_MIN} codes, not {self.memory}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a code did, and the sentence that says so. `new_key` is set once a key change is whole."""

    token: Token
    said: Sentence
    new_key: DecoderKey | None = None


def enter(meter: Meter, digits: str, *, tables: Tables | None = None) -> tuple[Meter, Outcome]:
    """Take a code: the meter after it, and what it did.

    Raises a TokenError and changes nothing when the code is not for this meter, not for its kind, used, older than its
    memory, of an expired key, or no code at all.
    """
    token, of_previous = _read(meter, digits, tables)
    _check_kind(meter, token)
    if not of_previous and not meter.proven and not isinstance(token, Showing):
        meter = replace(meter, proven=True, sections=())
    if isinstance(token, KeySection):
        # A set taken twice would bring an old key back, and with a new base date empty the memory of used codes.
        if of_previous and meter.proven:
            raise KeyChangeDone(
                "This code belongs to a key change that this meter has made already. Nothing was changed; enter "
                "the codes that were sold after it."
            )
        return _take_section(meter, token)
    if not isinstance(token, Showing):
        meter = _remember(meter, token, of_previous=of_previous)
    return meter, Outcome(token=token, said=did(token))


def _read(meter: Meter, digits: str, tables: Tables | None) -> tuple[Token, bool]:
    """The token, and whether only the previous key opened it."""
    token_class, block = split(digits)
    try:
        return _under(meter.held, token_class, block, tables), False
    except WrongKey:
        if meter.previous is None:
            raise
    return _under(meter.previous, token_class, block, tables), True


def _under(key: DecoderKey, token_class: int, block: int, tables: Tables | None) -> Token:
    cipher = cipher_for(algorithm=key.algorithm, key=key.key, tables=tables)
    return read_block(
        token_class=token_class, block=opened(token_class, block, cipher), algorithm=key.algorithm
    )


def _check_kind(meter: Meter, token: Token) -> None:
    """Raise NotForThisKind for what this meter has no register, limit or maker for."""
    counts = meter.counts
    match token:
        case TransferCredit(resource=resource):
            fits = resource is counts.resource and not counts.in_money
        case CurrencyCredit(resource=resource):
            fits = resource is counts.resource and counts.in_money
        case ClearCredit(value=register):
            own = counts.resource + (CURRENCY_SUBCLASS if counts.in_money else 0)
            fits = register in (own, ALL_REGISTERS)
        case PowerLimit() | UnbalanceLimit():
            fits = counts.resource is Resource.ELECTRICITY
        case WaterFactor():
            fits = counts.resource is Resource.WATER
        case MeterTest(maker=maker) | WideMakerTest(maker=maker):
            fits = maker in (0, meter.pan.maker)
        case _:
            fits = True
    if not fits:
        raise NotForThisKind(
            "This code is for another kind of meter, such as water instead of electricity. Nothing was changed; give "
            "it back to the seller with the number of this meter."
        )


def _remember(meter: Meter, token: Credit | Setting, *, of_previous: bool) -> Meter:
    """The meter that has taken this code. Raises ExpiredKey, Used, Old."""
    key = meter.previous if of_previous and meter.previous else meter.held
    apart = of_previous and meter.taken_before is not None
    taken = meter.taken_before or () if apart else meter.taken
    if is_expired(tid=token.tid, ken=key.ken):
        raise ExpiredKey(
            "The meter's key has ended for codes of this date. Nothing was changed; ask the seller for the key change "
            "codes, enter them, then buy a new code."
        )
    if token.tid in taken:
        raise Used(
            "This code was used on this meter before, and counted then. Nothing was changed; enter another code."
        )
    if len(taken) >= meter.memory and token.tid < taken[0]:
        raise Old(
            "This code is older than all the codes this meter remembers, so it cannot tell whether it was used. "
            "Nothing was changed; ask the seller to replace it."
        )
    after = tuple(sorted((*taken, token.tid))[-meter.memory :])
    return replace(meter, taken_before=after) if apart else replace(meter, taken=after)


def _take_section(meter: Meter, section: KeySection) -> tuple[Meter, Outcome]:
    """Keep a section; with the last of a set, move to the new key."""
    same = next((one for one in meter.sections if one.subclass == section.subclass), section)
    # Another section of the same number begins another set: parts of two sets would make a key nobody has.
    kept = meter.sections if same == section else ()
    sections = (*(one for one in kept if one.subclass != section.subclass), section)
    whole = joined(sections, algorithm=meter.held.algorithm)
    if whole is None:
        said = Sentence(
            "Key change: %(have)s of %(need)s codes are in. Enter the others, in any order; until then the meter keeps "
            "its key.",
            {"have": len(sections), "need": needed(sections, algorithm=meter.held.algorithm)},
        )
        return replace(meter, sections=sections), Outcome(token=section, said=said)
    new, rollover = whole
    under, taken = meter.held, meter.taken
    if not meter.proven and meter.previous is not None:
        under = meter.previous
        taken = meter.taken if meter.taken_before is None else meter.taken_before
    if new.sgc is None:
        new = replace(new, sgc=under.sgc)
    outcome = Outcome(token=section, said=did(section), new_key=new)
    if new == meter.held:
        return replace(meter, sections=()), outcome
    after = replace(
        meter,
        held=new,
        previous=under,
        proven=False,
        sections=(),
        taken=() if rollover else taken,
        taken_before=taken if rollover else None,
    )
    return after, outcome
