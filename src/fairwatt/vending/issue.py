"""The point of sale's rules: which minute a code carries, and when a key may no longer be sold under."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from fairwatt.core.tokens.errors import TokenError
from fairwatt.core.tokens.identity import KeyName
from fairwatt.core.tokens.kinds import Credit, Setting
from fairwatt.core.tokens.tid import is_expired, tid_at

from .vault import KeyVault, SupplyGroup


class KeyEnded(TokenError):
    """The key of this meter has ended: nothing may be sold under it."""

    code = "key_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A code as it is sold. Keep `tid` with the meter: the next code must carry another one."""

    digits: str
    token: Credit | Setting
    tid: int


def issue(
    *,
    vault: KeyVault,
    name: KeyName,
    token_at: Callable[[int], Credit | Setting],
    at_us: int,
    taken: Collection[int] = (),
) -> Issued:
    """Make a code for a meter now. `token_at` is handed its identifier; `taken` are those of its earlier codes.

    Raises KeyEnded, UnknownGroup, OutsideBaseDate, and TablesMissing for EA07 without tables.
    """
    group = vault.group(name)
    tid = tid_at(at_us=at_us, base=group.base, zone=group.zone, taken=taken)
    _check_key(group, tid)
    token = token_at(tid)
    return Issued(digits=vault.encode(name=name, token=token), token=token, tid=tid)


def issue_key_change(*, vault: KeyVault, now: KeyName, then: KeyName, at_us: int) -> tuple[str, ...]:
    """Make the codes that move a meter to another key. The old key may have ended, the new one not.

    Raises KeyEnded, UnknownGroup, OutsideBaseDate, KeyChangeImpossible.
    """
    new = vault.group(then)
    _check_key(new, tid_at(at_us=at_us, base=new.base, zone=new.zone))
    return vault.change_key(now=now, then=then)


def _check_key(group: SupplyGroup, tid: int) -> None:
    if is_expired(tid=tid, ken=group.ken):
        raise KeyEnded(
            "The key of supply group %(sgc)s, revision %(krn)s, has ended: meters would refuse the code. No code was "
            "made and nothing is owed; load the group's new key and send the meter a key change first.",
            sgc=group.sgc,
            krn=group.krn,
        )
