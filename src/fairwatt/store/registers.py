"""What the ledger knows of one register: its readings, where rating may start, how it was rated again.

Queries go along the primary key of `line`, which begins with the instant, so each names the stretch of time it needs.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fairwatt.core.ledger.model import Kind
from fairwatt.core.spans import to_datetime

_US: Final = "(extract(epoch FROM ts) * 1000000)::bigint"
_READ: Final = [int(Kind.READING), int(Kind.LATE)]
NOW: Final = 1 << 62
"""As of the newest line there is."""


@dataclass(frozen=True, slots=True)
class Known:
    """A reading that stands in the ledger; `seq` 0 is the opening."""

    at_us: int
    register_wh: int
    seq: int


@dataclass(frozen=True, slots=True)
class Start:
    """A reading whose counter is that of its instant, so that rating may start from it.

    `opening`: nothing is known before it, and `counter_wh` is what was given at the opening.
    """

    at_us: int
    register_wh: int
    counter_wh: int
    opening: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """A person's word on a reading: another value, or none (`register_wh` None: it does not count).

    `ends`: from that instant on the meter was somebody else's; what was read after it counts there.
    """

    fact: int
    at_us: int
    register_wh: int | None
    author: str
    reason: str
    ends: bool = False


def opening_of(*, cursor: Any, installation: int) -> Start:
    """Where an installation began."""
    cursor.execute(
        "SELECT opened_us, opening_wh, opening_counter_wh FROM store_installation WHERE id = %s",
        [installation],
    )
    opened, wh, counter = cursor.fetchone()
    return Start(int(opened), int(wh), int(counter), opening=True)


def start_before(
    *, cursor: Any, book: int, installation: int, before_us: int, as_of_seq: int = NOW
) -> Start | None:
    """The newest reading before an instant from which rating may start; None before the opening.

    A counter stored in a line is no longer right where an older reading came to be known after it and energy
    moved over the start of a counting window: `rerating` says from when to when.
    """
    opening = opening_of(cursor=cursor, installation=installation)
    if before_us <= opening.at_us:
        return None
    while before_us > opening.at_us:
        cursor.execute(
            f"SELECT {_US}, register_wh, counter_wh, seq FROM line WHERE ref = %s AND kind = %s AND book = %s "
            "AND ts < %s AND ts > %s AND seq < %s ORDER BY ts DESC LIMIT 1",
            [
                installation,
                Kind.READING,
                book,
                to_datetime(before_us),
                to_datetime(opening.at_us),
                as_of_seq,
            ],
        )
        row = cursor.fetchone()
        if row is None:
            return opening
        at, wh, counter, seq = (int(value) for value in row)
        stale_us = _stale_since(cursor, installation, at, seq, as_of_seq)
        if stale_us is None:
            return Start(at, wh, counter, opening=False)
        before_us = stale_us + 1 if stale_us < at else at
    return opening


def starts_before(
    *, cursor: Any, book: int, installations: Sequence[int], before_us: Sequence[int]
) -> list[Start]:
    """`start_before` for many installations at once, each before an instant of its own; or else their openings."""
    cursor.execute(
        "SELECT id, opened_us, opening_wh, opening_counter_wh FROM store_installation WHERE id = ANY(%s)",
        [list(installations)],
    )
    openings = {
        int(n): Start(int(opened), int(wh), int(counter), opening=True)
        for n, opened, wh, counter in cursor.fetchall()
    }
    before = dict(zip(installations, before_us, strict=True))
    begun = [n for n in installations if openings[n].at_us < before[n]]
    found: dict[int, Start] = {}
    if begun:
        # `rerating` tells whether the counter of the newest line is still that of its instant: _stale_since.
        cursor.execute(
            "SELECT i.id, l.at_us, l.register_wh, l.counter_wh, (SELECT min(r.from_us) FROM rerating r "
            "WHERE r.installation = i.id AND r.last_seq > l.seq AND r.from_us < l.at_us AND r.counted_us >= l.at_us) "
            "FROM unnest(%s::bigint[], %s::timestamptz[]) AS i(id, before_ts) CROSS JOIN LATERAL ("
            f"SELECT {_US} AS at_us, register_wh, counter_wh, seq FROM line "
            "WHERE ref = i.id AND kind = %s AND book = %s AND ts < i.before_ts AND ts < %s AND ts > %s "
            "ORDER BY ts DESC LIMIT 1) l",
            [
                begun,
                [to_datetime(before[n]) for n in begun],
                Kind.READING,
                book,
                to_datetime(max(before[n] for n in begun)),
                to_datetime(min(openings[n].at_us for n in begun)),
            ],
        )
        for n, at, wh, counter, stale in cursor.fetchall():
            if stale is not None:
                one = start_before(cursor=cursor, book=book, installation=int(n), before_us=before[int(n)])
                found[int(n)] = one or openings[int(n)]
            elif int(at) > openings[int(n)].at_us:
                found[int(n)] = Start(int(at), int(wh), int(counter), opening=False)
    return [found.get(n, openings[n]) for n in installations]


def _stale_since(cursor: Any, installation: int, at_us: int, seq: int, as_of_seq: int) -> int | None:
    """Since when the counters around a line are not to be trusted, by what was rated again after it."""
    cursor.execute(
        "SELECT min(from_us) FROM rerating WHERE installation = %s AND last_seq > %s AND last_seq < %s "
        "AND from_us < %s AND counted_us >= %s",
        [installation, seq, as_of_seq, at_us, at_us],
    )
    (since,) = cursor.fetchone()
    return None if since is None else int(since)


def readings_between(
    *, cursor: Any, book: int, installation: int, start: Start, until_us: int, as_of_seq: int = NOW
) -> list[Known]:
    """Every reading known from `start` (included, first) up to the first one at or after `until_us`.

    In time order, as it was stored; `applied` brings in what people said of them.
    """
    cursor.execute(
        f"SELECT {_US} FROM line WHERE ref = %s AND kind = ANY(%s) AND book = %s AND ts >= %s AND seq < %s "
        "ORDER BY ts LIMIT 1",
        [installation, _READ, book, to_datetime(until_us), as_of_seq],
    )
    row = cursor.fetchone()
    last_us = until_us if row is None else int(row[0])
    cursor.execute(
        f"SELECT {_US} AS at, register_wh, seq FROM line WHERE ref = %s AND kind = ANY(%s) AND book = %s "
        "AND ts > %s AND ts <= %s AND seq < %s ORDER BY 1",
        [installation, _READ, book, to_datetime(start.at_us), to_datetime(last_us), as_of_seq],
    )
    known = [Known(int(at), int(wh), int(seq)) for at, wh, seq in cursor.fetchall()]
    return [Known(start.at_us, start.register_wh, 0), *known]


def standing_between(
    *, cursor: Any, book: int, installation: int, start: Start, until_us: int, as_of_seq: int = NOW
) -> list[Known]:
    """Readings as they stand after all edits, from `start` up to the first at or after `until_us` that stands."""
    ground: dict[str, Any] = {
        "cursor": cursor,
        "book": book,
        "installation": installation,
        "as_of_seq": as_of_seq,
    }
    edits = edits_of(**ground)
    last_us = min((edit.at_us for edit in edits if edit.ends), default=NOW)
    asked_us = until_us
    while True:
        stored = readings_between(**ground, start=start, until_us=asked_us)
        standing = applied(known=stored, edits=edits)
        if standing[-1].at_us >= min(until_us, last_us) or stored[-1].at_us < asked_us:
            return standing
        asked_us = stored[-1].at_us + 1  # the reading found there was struck out


def applied(*, known: list[Known], edits: list[Edit]) -> list[Known]:
    """Readings as they stand after some edits, oldest edit first."""
    standing = list(known)
    for edit in edits:
        place = bisect_left(standing, edit.at_us, key=lambda reading: reading.at_us)
        if edit.ends and edit.register_wh is not None:
            _end_at(standing, edit.at_us, edit.register_wh, place)
            continue
        if place == len(standing) or standing[place].at_us != edit.at_us:
            continue
        if edit.register_wh is None:
            del standing[place]
        else:
            standing[place] = Known(edit.at_us, edit.register_wh, standing[place].seq)
    return standing


def _end_at(standing: list[Known], at_us: int, register_wh: int, place: int) -> None:
    """Leave out what comes after an instant, if the readings reach so far; the register stood there at that value."""
    if place == len(standing):
        return
    seq = standing[place].seq
    if standing[place].at_us == at_us:
        place += 1
    else:
        standing.insert(place, Known(at_us, register_wh, seq))
        place += 1
    del standing[place:]


def edits_of(*, cursor: Any, book: int, installation: int, as_of_seq: int = NOW) -> list[Edit]:
    """What people said of the readings of an installation, and the poster posted, oldest first."""
    cursor.execute(
        "SELECT f.id, f.payload FROM fact f JOIN rerating r ON r.fact = f.id AND r.installation = %s "
        "WHERE f.book = %s AND f.kind = 'reading_edit' AND r.cause = 'edited' AND r.last_seq < %s "
        "ORDER BY r.batch, f.id",
        [installation, book, as_of_seq],
    )
    return [_edit(int(fact), payload) for fact, payload in cursor.fetchall()]


def estimates_of(*, cursor: Any, book: int, installations: list[int]) -> dict[int, list[int]]:
    """{installation: instants} of charged estimates at which neither the meter nor a person has spoken since."""
    cursor.execute(
        "SELECT a.installation, a.to_us FROM estimate_approval a "
        "JOIN fact f ON f.book = a.book AND f.kind = 'estimate' AND f.state = 'posted' "
        "AND f.result->>'approval' = a.id::text "
        "WHERE a.book = %s AND a.installation = ANY(%s) AND NOT EXISTS (SELECT 1 FROM fact e WHERE e.book = a.book "
        "AND e.kind = 'reading_edit' AND e.state = 'posted' AND e.payload->>'installation' = a.installation::text "
        "AND e.payload->>'at_us' = a.to_us::text AND coalesce(e.payload->>'estimate', 'false') <> 'true') "
        "ORDER BY a.installation, a.to_us",
        [book, installations],
    )
    found: dict[int, list[int]] = {}
    for installation, at_us in cursor.fetchall():
        found.setdefault(int(installation), []).append(int(at_us))
    return found


def _edit(fact: int, payload: Any) -> Edit:
    said = json.loads(payload) if isinstance(payload, str) else payload
    wh = said["register_wh"]
    return Edit(
        fact,
        int(said["at_us"]),
        None if wh is None else int(wh),
        said["author"],
        said["reason"],
        ends=bool(said.get("ends", False)),
    )


def free_correction_instant(*, cursor: Any, book: int, installation: int, from_us: int) -> int:
    """Return the first microsecond from `from_us` on at which this installation has no correction yet.

    The clock may stand still between two batches, and the instant is part of a line's key.
    """
    return free_correction_instants(cursor=cursor, book=book, installations=[installation], from_us=from_us)[
        installation
    ]


def free_correction_instants(
    *, cursor: Any, book: int, installations: Sequence[int], from_us: int
) -> dict[int, int]:
    """The same for many installations at once."""
    cursor.execute(
        f"SELECT ref, max({_US}) FROM line WHERE ref = ANY(%s) AND kind = %s AND book = %s AND ts >= %s GROUP BY ref",
        [list(installations), Kind.CORRECTION, book, to_datetime(from_us)],
    )
    taken = {int(ref): int(at_us) for ref, at_us in cursor.fetchall()}
    return {n: max(from_us, taken[n] + 1) if n in taken else from_us for n in installations}
