"""A site that is rated again while the poster goes on: stretch by stretch between batches, one read ahead.

What it works out is read from lines that are durable, so a batch that fails takes nothing of it back; and a poster
that ends in the middle begins anew. Until a register is posted it lives on under the tariff it was charged by:
what was read meanwhile is brought in at the end, and one that learned something of its past is worked out anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.units import US_PER_DAY
from fairwatt.flows.posting.site_rerating import Move, SiteRerating, differ_from
from fairwatt.store.registers import starts_before
from fairwatt.store.site_readings import Readings, read_aside, read_months

Int64s = npt.NDArray[np.int64]

READINGS_A_BATCH: Final = 500_000
"""Rated under both tariffs in about a third of a second: so long may a payment wait."""
_READERS: Final = 2
"""Stretches read at the same time, each on a connection of its own."""
_GROWTH_MAX: Final = 8


class SiteAhead:
    """Registers of one book under a corrected tariff, from the first changed price to where each of them stands."""

    def __init__(
        self,
        *,
        cursor: Any,
        book: int,
        zone: str,
        last_batch: int,
        registers: npt.NDArray[Any],
        moves: Sequence[Move],
    ) -> None:
        """`registers`: rows of the poster's registers, by rising installation; `last_batch`: the last durable one."""
        installations = registers["installation"].astype(np.int64)
        heads = registers["at_us"].astype(np.int64)
        changed = zip(differ_from(moves), heads.tolist(), strict=True)
        self.registers = registers
        self.rating = SiteRerating(
            cursor=cursor,
            book=book,
            zone=zone,
            installations=installations,
            modulus_wh=registers["modulus_wh"].astype(np.int64),
            starts=starts_before(
                cursor=cursor,
                book=book,
                installations=installations.tolist(),
                before_us=[
                    (head if from_us is None else min(from_us, head)) + 1 for from_us, head in changed
                ],
            ),
            moves=moves,
            limit_us=heads,
            by_day=True,
            leaving=True,
        )
        self._book, self._last_batch = book, last_batch
        self._next_us, self._until_us = int(self.rating.at_us.min()), int(heads.max())
        self._stretch_us, self._done = US_PER_DAY, False
        self._reader = ThreadPoolExecutor(_READERS, thread_name_prefix="site-ahead")
        self._reading: deque[tuple[int, Future[Readings | None]]] = deque()

    def go_on(self, *, readings: int) -> bool:
        """Rate about so many more readings; True when none is left."""
        taken = 0
        while taken < readings and not self._done:
            self._read_on()
            if not self._reading:
                self._done = True
                self._reader.shutdown(wait=False)
                self.rating.days.join()
                break
            length_us, reading = self._reading.popleft()
            found = reading.result()
            if found is not None:
                self.rating.take(found)
                taken += len(found.at_us)
            self._pace(length_us, 0 if found is None else len(found.at_us))
        return self._done

    def catch_up(self, *, cursor: Any, places: Int64s, heads_us: Int64s) -> None:
        """Bring in what registers showed since this began: up to where they stand now."""
        behind = heads_us > self.rating.limit_us[places]
        if not behind.any():
            return
        mine = places[behind]
        since_us = int(self.rating.at_us[mine].min())
        self.rating.limit_us[mine] = heads_us[behind]
        months = read_months(
            cursor=cursor,
            book=self._book,
            installations=self.rating.installations[mine],
            from_us=since_us,
            until_us=int(heads_us.max()),
        )
        with closing(months):
            for month in months:
                self.rating.take(month, of=mine)

    def places(self, installations: Int64s) -> Int64s:
        """The place of each installation, -1 where it is not among these."""
        known = self.rating.installations
        place = np.minimum(np.searchsorted(known, installations), len(known) - 1)
        return np.where(known[place] == installations, place, -1).astype(np.int64)

    def overtaken(self, *, cursor: Any) -> Int64s:
        """Installations that were rated again for another reason since this began."""
        cursor.execute(
            "SELECT DISTINCT installation FROM rerating WHERE installation = ANY(%s) AND batch > %s",
            [self.rating.installations.tolist(), self._last_batch],
        )
        return np.array([row[0] for row in cursor.fetchall()], dtype=np.int64)

    def _read_on(self) -> None:
        """Begin to read as many stretches as may be read at once."""
        while self._next_us < self._until_us and len(self._reading) < _READERS:
            start_us, self._next_us = self._next_us, min(self._next_us + self._stretch_us, self._until_us)
            reading = read_aside(
                reader=self._reader,
                book=self._book,
                installations=self.rating.installations,
                from_us=start_us,
                until_us=self._next_us,
            )
            self._reading.append((self._next_us - start_us, reading))

    def _pace(self, length_us: int, readings: int) -> None:
        """Make the next stretches so long that one is about what a batch rates."""
        days = max(length_us // US_PER_DAY, 1)
        fits = READINGS_A_BATCH * days // max(readings, 1)
        self._stretch_us = max(1, min(fits, _GROWTH_MAX * days)) * US_PER_DAY
