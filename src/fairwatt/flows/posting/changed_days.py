"""What another tariff changes, by register, local day and component: gathered in columns, exact throughout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.vector_exact import SUM_MAX, ExactRows
from fairwatt.core.spans import local_day_start, local_midnights
from fairwatt.core.units import US_PER_HOUR
from fairwatt.flows.posting.rerating import DayChange
from fairwatt.store.corrections import COMPONENTS

Int64s = npt.NDArray[np.int64]

_NAMES: Final = ("place", "day", "component", "first_seq", "last_seq", "from_us", "until_us", "old", "new")


@dataclass(frozen=True, kw_only=True, eq=False)
class DayColumns(Sequence[DayChange]):
    """One entry for each register, day and component that changed, in that order.

    `component` is a number in COMPONENTS; `old` and `new` are exact amounts as int64 or objects. One entry is
    a `DayChange` only when it is looked at.
    """

    place: Int64s
    day: Int64s
    component: Int64s
    first_seq: Int64s
    last_seq: Int64s
    from_us: Int64s
    until_us: Int64s
    old: Int64s
    new: Int64s

    @classmethod
    def of(cls, changes: Sequence[DayChange]) -> DayColumns:
        """Changes of one register, in the order they have."""
        if isinstance(changes, DayColumns):
            return changes
        numbers: dict[str, list[int]] = {
            "place": [0] * len(changes),
            "day": [change.day_us for change in changes],
            "component": [COMPONENTS.index(change.component) for change in changes],
            "first_seq": [change.first_seq for change in changes],
            "last_seq": [change.last_seq for change in changes],
            "from_us": [change.from_us for change in changes],
            "until_us": [change.until_us for change in changes],
        }
        columns = {name: np.array(values, dtype=np.int64) for name, values in numbers.items()}
        old, new = [change.old_exact for change in changes], [change.new_exact for change in changes]
        return cls(**columns, old=_exact(old), new=_exact(new))

    @classmethod
    def joined(cls, parts: Sequence[DayColumns]) -> DayColumns:
        """Parts that follow each other in time as one; a day that lies in several becomes one entry."""
        at = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES}
        if not len(at["place"]):
            return cls(**at)
        # Days begin many hours apart, so the hour tells them apart; equal keys keep their order in time.
        hours = (at["day"] - at["day"].min()) // US_PER_HOUR
        key = (at["place"] * (int(hours.max()) + 1) + hours) * len(COMPONENTS) + at["component"]
        order = np.argsort(key, kind="stable")
        at, key = {name: column[order] for name, column in at.items()}, key[order]
        begins = np.ones(len(key), dtype=np.bool_)
        begins[1:] = key[1:] != key[:-1]
        if begins.all():
            return cls(**at)
        heads = np.flatnonzero(begins)
        ends = np.append(heads[1:], len(key)) - 1
        return cls(
            place=at["place"][heads],
            day=at["day"][heads],
            component=at["component"][heads],
            first_seq=np.minimum.reduceat(at["first_seq"], heads),
            last_seq=np.maximum.reduceat(at["last_seq"], heads),
            from_us=at["from_us"][heads],
            until_us=at["until_us"][ends],
            old=np.add.reduceat(roomy(at["old"]), heads),
            new=np.add.reduceat(roomy(at["new"]), heads),
        )

    def where(self, which: Any) -> DayColumns:
        """Some of the entries: a slice or a mask."""
        return DayColumns(**{name: getattr(self, name)[which] for name in _NAMES})

    def of_place(self, place: int) -> DayColumns:
        """The entries of one register."""
        return self.where(slice(*np.searchsorted(self.place, (place, place + 1)).tolist()))

    def __len__(self) -> int:
        return len(self.place)

    @overload
    def __getitem__(self, n: int) -> DayChange: ...
    @overload
    def __getitem__(self, n: slice) -> DayColumns: ...
    def __getitem__(self, n: int | slice) -> DayChange | DayColumns:
        if isinstance(n, slice):
            return self.where(n)
        return DayChange(
            component=COMPONENTS[int(self.component[n])],
            day_us=int(self.day[n]),
            first_seq=int(self.first_seq[n]),
            last_seq=int(self.last_seq[n]),
            from_us=int(self.from_us[n]),
            until_us=int(self.until_us[n]),
            old_exact=int(self.old[n]),
            new_exact=int(self.new[n]),
        )

    def __iter__(self) -> Iterator[DayChange]:
        return (self[n] for n in range(len(self)))


@dataclass(kw_only=True)
class ChangedDays:
    """The changed days of many registers, gathered stretch after stretch of time."""

    _parts: list[DayColumns] = field(default_factory=list)
    _joined: DayColumns | None = None

    def add(
        self,
        *,
        place: Int64s,
        day: Int64s,
        seq: Int64s,
        prev_at: Int64s,
        at: Int64s,
        was: ExactRows,
        is_: ExactRows,
    ) -> None:
        """Take in rows, register after register and each in time order, as rated under two tariffs."""
        for number, component in enumerate(COMPONENTS):
            old, new = getattr(was, component), getattr(is_, component)
            changed = np.flatnonzero(old != new)
            if not changed.size:
                continue
            mine, days = place[changed], day[changed]
            begins = np.ones(changed.size, dtype=np.bool_)
            begins[1:] = (mine[1:] != mine[:-1]) | (days[1:] != days[:-1])
            heads = np.flatnonzero(begins)
            ends = np.append(heads[1:], changed.size) - 1
            self._parts.append(
                DayColumns(
                    place=mine[heads],
                    day=days[heads],
                    component=np.full(heads.size, number, dtype=np.int64),
                    first_seq=np.minimum.reduceat(seq[changed], heads),
                    last_seq=np.maximum.reduceat(seq[changed], heads),
                    from_us=prev_at[changed[heads]],
                    until_us=at[changed[ends]],
                    old=np.add.reduceat(old[changed], heads),
                    new=np.add.reduceat(new[changed], heads),
                )
            )

    def join(self) -> None:
        """Put what was gathered so far in order, once, before it is asked for."""
        if self._joined is not None:
            self._parts.insert(0, self._joined)
        self._joined, self._parts = DayColumns.joined(self._parts or [DayColumns.of(())]), []

    def of(self, place: int) -> DayColumns:
        """The changes of one register by day, and within a day as COMPONENTS are ordered."""
        if self._joined is None:
            self.join()
        assert self._joined is not None
        mine = self._joined.of_place(place)
        later = [part.where(part.place == place) for part in self._parts]
        return DayColumns.joined([mine, *later]) if later else mine

    def counts(self, many: int) -> Int64s:
        """How many changes were put in order for each of so many registers."""
        places = self._joined.place if self._joined is not None else np.empty(0, dtype=np.int64)
        return np.bincount(places, minlength=many).astype(np.int64)


def days_of(*, instants: Int64s, zone: str) -> Int64s:
    """The start of the local day that each instant ends or lies in: midnight belongs to the day it closes."""
    used = instants - 1
    low, high = int(used.min()), int(used.max())
    start = local_day_start(zone=zone, at_us=low)
    midnights = np.array([start, *local_midnights(zone=zone, start_us=start, end_us=high)], dtype=np.int64)
    days: Int64s = midnights[np.searchsorted(midnights, used, side="right") - 1]
    return days


def roomy(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Exact amounts that may be added up in any number."""
    if (
        values.dtype == object
        or not values.size
        or max(int(values.max()), -int(values.min())) < SUM_MAX // len(values)
    ):
        return values
    return values.astype(object)


def _exact(values: list[int]) -> npt.NDArray[Any]:
    fits = all(-SUM_MAX < value < SUM_MAX for value in values)
    return np.array(values, dtype=np.int64 if fits else object)
