"""The installations of one meter as a chain: who had it before, until when, and where each register was left.

A meter counts on when a home changes hands. What was read up to the change belongs to who had it until then, however
late it arrives; where the register stood at the change, the nearest readings on both sides say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from fairwatt.flows.posting.book_state import METER_BITS, NEVER_US, REGISTER, BookState, register_key
from fairwatt.flows.posting.intake import Intake
from fairwatt.flows.posting.sift import OLDEST_US, Sifted, keys_of
from fairwatt.store import changeovers, moves
from fairwatt.store.changeovers import LinkRow
from fairwatt.store.models import Book, Installation
from fairwatt.store.moves import GUESSED


@dataclass(frozen=True, kw_only=True)
class Link:
    """One installation of a meter: from when to when, and its row among some registers."""

    installation: int
    opened_us: int
    closed_us: int | None
    registers: npt.NDArray[Any]
    n: int
    changeover: int | None = None
    """what ended it"""
    guessed: bool = False
    """where it ended, nobody read the meter"""

    @property
    def head(self) -> Any:
        """Its row."""
        return self.registers[self.n]

    def holds(self, at_us: int) -> bool:
        """True when a reading of that instant is this installation's; at the change it is that of who left."""
        return self.opened_us < at_us and (self.closed_us is None or at_us <= self.closed_us)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The installations of one meter in order of time."""

    links: Sequence[Link]

    def holding(self, at_us: int) -> Link | None:
        """Whose a reading of that instant is; None where nobody had the meter."""
        return next((link for link in self.links if link.holds(at_us)), None)

    def follows(self, k: int) -> bool:
        """True when a link began where the one before it ended."""
        return k > 0 and self.links[k - 1].closed_us == self.links[k].opened_us

    @property
    def guessed(self) -> frozenset[int]:
        """Instants of changes at which the meter was not read."""
        return frozenset(link.closed_us for link in self.links if link.guessed and link.closed_us is not None)


@dataclass(kw_only=True)
class Chains:
    """The chains that a batch needs."""

    of_key: dict[int, Chain] = field(default_factory=dict)

    def of_meter(self, *, key: int, registers: npt.NDArray[Any], n: int) -> Chain:
        """The chain of a meter; of one that nobody had before, its open register `n` alone."""
        return self.of_key.get(key) or alone(registers=registers, n=n)


def alone(*, registers: npt.NDArray[Any], n: int) -> Chain:
    """An open register without a past."""
    installation = int(registers["installation"][n])
    link = Link(installation=installation, opened_us=NEVER_US, closed_us=None, registers=registers, n=n)
    return Chain(links=(link,))


def chains_of(
    *, cursor: Any, state: BookState, registers: npt.NDArray[Any], intake: Intake, sifted: Sifted, now_us: int
) -> Chains:
    """The chain of every meter that tells something of before a change, or that is read for the first time since."""
    keys = set(keys_of(intake=intake, rows=sifted.past).tolist())
    looking = np.concatenate((sifted.behind, sifted.plausible[_at_opening(registers, sifted)]))
    followers = sifted.register[looking]
    followers = followers[registers["follows_us"][followers] != NEVER_US]
    keys |= set(registers["key"][followers].tolist())
    meters = [divmod(key, 1 << METER_BITS) for key in sorted(keys)]
    return chains_of_meters(cursor=cursor, state=state, registers=registers, meters=meters, now_us=now_us)


def chains_of_meters(
    *,
    cursor: Any,
    state: BookState,
    registers: npt.NDArray[Any],
    meters: Sequence[tuple[int, int]],
    now_us: int,
) -> Chains:
    """The chains of some meters, each as (gateway, number)."""
    if not meters:
        return Chains()
    rows = changeovers.links_of(cursor=cursor, book=state.book, meters=meters, since_us=now_us - OLDEST_US)
    changed = [row.changeover for some in rows.values() for row in some if row.changeover is not None]
    read = changeovers.read_since(cursor=cursor, book=state.book, changeovers=changed)
    made = {
        register_key(gateway=gateway, meter=meter): _chain(state, registers, some, read)
        for (gateway, meter), some in rows.items()
    }
    return Chains(of_key=made)


def _at_opening(registers: npt.NDArray[Any], sifted: Sifted) -> npt.NDArray[np.bool_]:
    estimated: npt.NDArray[np.bool_] = registers["estimated"][sifted.register[sifted.plausible]]
    return estimated


def _chain(state: BookState, registers: npt.NDArray[Any], rows: Sequence[LinkRow], read: set[int]) -> Chain:
    closed = [
        row for row in rows if row.left is not None and state.closed_plan.get(row.installation, -1) >= 0
    ]
    left = np.zeros(len(closed), dtype=REGISTER)
    links: list[Link] = []
    for n, row in enumerate(closed):
        _leave(state, left[n], row)
        links.append(
            Link(
                installation=row.installation,
                opened_us=row.opened_us,
                closed_us=row.closed_us,
                registers=left,
                n=n,
                changeover=row.changeover,
                guessed=row.basis in GUESSED and row.changeover not in read,
            )
        )
    for row in rows:
        open_n = state.installation_index.get(row.installation)
        if row.closed_us is None and open_n is not None:
            links.append(
                Link(
                    installation=row.installation,
                    opened_us=row.opened_us,
                    closed_us=None,
                    registers=registers,
                    n=open_n,
                )
            )
    return Chain(links=sorted(links, key=lambda link: link.opened_us))


def _leave(state: BookState, head: Any, row: LinkRow) -> None:
    """Where a closed register was left, as the poster knows the open ones."""
    head["installation"], head["key"] = row.installation, register_key(gateway=row.gateway, meter=row.meter)
    head["meter"], head["gateway"] = row.meter, row.gateway
    head["wallet_ix"], head["plan_ix"] = (
        state.wallet_index[row.wallet],
        state.closed_plan[row.installation],
    )
    for name in ("modulus_wh", "resolution_wh", "max_power_w"):
        head[name] = getattr(row, name)
    assert row.left is not None, "only what a change left is asked for"
    for name in ("at_us", "register_wh", "counter_wh", "window_us", "carry_nano", "carry_tax"):
        head[name] = getattr(row.left, name)


def lately_closed(*, book: Book, now_us: int) -> list[Installation]:
    """Installations that ended so lately that a reading of theirs may still arrive."""
    return list(
        Installation.objects.filter(wallet__book=book, closed_us__gt=now_us - OLDEST_US)
        .select_related("meter", "wallet")
        .order_by("closed_us", "pk")
    )


def follow(*, registers: npt.NDArray[Any], closed: Iterable[Installation]) -> npt.NDArray[np.int64]:
    """Note which registers go on where another installation of their meter ended; return the keys of meters that are
    at work no more."""
    ended = {register_key(gateway=row.meter.gateway_id, meter=row.meter.number) for row in closed}
    registers["follows_us"][~np.isin(registers["key"], sorted(ended))] = NEVER_US
    return np.array(sorted(ended - set(registers["key"].tolist())), dtype=np.int64)


def left_wallets(*, book: int, wallet_ix: Mapping[int, int]) -> frozenset[int]:
    """Indices of the wallets whose person left for good."""
    with connection.cursor() as cursor:
        return frozenset(wallet_ix[wallet] for wallet in moves.left_wallets(cursor=cursor, book=book))
