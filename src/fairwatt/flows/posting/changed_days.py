"""What another tariff changes, by register, local day and component: gathered in columns, exact throughout."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.vector_exact import SUM_MAX, ExactRows
from fairwatt.core.spans import local_day_start, local_midnights
from fairwatt.flows.posting.rerating import COMPONENTS, DayChange

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """One entry for each register, day and component that changed; exact amounts as int64 or objects."""

    place: Int64s
    day: Int64s
    component: Int64s
    first_seq: Int64s
    last_seq: Int64s
    from_us: Int64s
    until_us: Int64s
    old: Int64s
    new: Int64s

    @staticmethod
    def joined(parts: list[_Columns]) -> _Columns:
        """The parts as one, by place, day and component; a day that lies in two of them becomes one entry."""
        at = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in _Columns.__dataclass_fields__
        }
        order = np.lexsort((at["from_us"], at["component"], at["day"], at["place"]))
        at = {name: column[order] for name, column in at.items()}
        begins = np.ones(len(order), dtype=np.bool_)
        begins[1:] = False
        for name in ("place", "day", "component"):
            begins[1:] |= at[name][1:] != at[name][:-1]
        heads = np.flatnonzero(begins)
        ends = np.append(heads[1:], len(order)) - 1
        return _Columns(
            place=at["place"][heads],
            day=at["day"][heads],
            component=at["component"][heads],
            first_seq=np.minimum.reduceat(at["first_seq"], heads),
            last_seq=np.maximum.reduceat(at["last_seq"], heads),
            from_us=at["from_us"][heads],
            until_us=at["until_us"][ends],
            old=np.add.reduceat(_roomy(at["old"]), heads),
            new=np.add.reduceat(_roomy(at["new"]), heads),
        )


@dataclass(kw_only=True)
class ChangedDays:
    """The changed days of many registers; they become objects only for the register that is asked for."""

    _parts: list[_Columns] = field(default_factory=list)

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
                _Columns(
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

    def of(self, place: int) -> tuple[DayChange, ...]:
        """The changes of one register by day, and within a day as COMPONENTS are ordered by name."""
        if not self._parts:
            return ()
        if len(self._parts) > 1:
            self._parts = [_Columns.joined(self._parts)]
        (all_,) = self._parts
        mine = slice(*np.searchsorted(all_.place, (place, place + 1)).tolist())
        found = [
            DayChange(
                component=COMPONENTS[component],
                day_us=day,
                first_seq=first,
                last_seq=last,
                from_us=from_us,
                until_us=until_us,
                old_exact=int(old),
                new_exact=int(new),
            )
            for day, component, first, last, from_us, until_us, old, new in zip(
                *(getattr(all_, name)[mine].tolist() for name in _ORDER), strict=True
            )
        ]
        return tuple(sorted(found, key=lambda change: (change.day_us, change.component)))


_ORDER = ("day", "component", "first_seq", "last_seq", "from_us", "until_us", "old", "new")


def days_of(*, instants: Int64s, zone: str) -> Int64s:
    """The start of the local day that each instant ends or lies in: midnight belongs to the day it closes."""
    used = instants - 1
    low, high = int(used.min()), int(used.max())
    start = local_day_start(zone=zone, at_us=low)
    midnights = np.array([start, *local_midnights(zone=zone, start_us=start, end_us=high)], dtype=np.int64)
    days: Int64s = midnights[np.searchsorted(midnights, used, side="right") - 1]
    return days


def _roomy(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Exact amounts that may be added up in any number."""
    if values.dtype == object or max(int(values.max()), -int(values.min())) < SUM_MAX // len(values):
        return values
    return values.astype(object)
