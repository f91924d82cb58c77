"""Where the lines of a batch lie, so that a start finds the newest ones through the primary key of `line`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.spans import to_datetime

Int64s = npt.NDArray[np.int64]

_GAP_US: Final = 3_600_000_000
"""Instants of one batch that lie further apart than this are told apart: a late reading, a payment."""
_BETWEEN_US: Final = 6 * _GAP_US
"""Batches nearer than this are looked up in one go."""
_SPANS_MAX: Final = 30


def spans_of(*, ts: Int64s) -> str:
    """Rising instants (microseconds) as few spans, ends included; a tstzmultirange literal."""
    spans = (
        f"[{to_datetime(start).isoformat()},{to_datetime(end).isoformat()}]"
        for start, end in _clusters(ts, _GAP_US)
    )
    return f"{{{','.join(spans)}}}"


def newer_lines(*, cursor: Any, book: int, after_batch: int) -> tuple[str, list[Any]]:
    """A condition on `line` and its parameters: the lines of a book after a batch, and no others."""
    return _lines(cursor, book, after_batch, None)


def lines_between(*, cursor: Any, book: int, after_batch: int, until_batch: int) -> tuple[str, list[Any]]:
    """The same for the lines after a batch up to another, that one included."""
    return _lines(cursor, book, after_batch, until_batch)


def _lines(cursor: Any, book: int, after_batch: int, until_batch: int | None) -> tuple[str, list[Any]]:
    condition, parameters = "book = %s AND batch > %s", [book, after_batch]
    if until_batch is not None:
        condition, parameters = f"{condition} AND batch <= %s", [*parameters, until_batch]
    if after_batch == 0 and until_batch is None:
        return condition, parameters  # every line there is
    cursor.execute(
        "SELECT (extract(epoch FROM lower(span)) * 1000000)::bigint, "
        "(extract(epoch FROM upper(span)) * 1000000)::bigint "
        "FROM batch, unnest(spans) AS span WHERE book = %s AND batch > %s AND (%s::bigint IS NULL OR batch <= %s)",
        [book, after_batch, until_batch, until_batch],
    )
    instants = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
    merged = _merged(instants)
    if not merged:
        return "false", []
    places = " OR ".join(["ts BETWEEN %s AND %s"] * len(merged))
    return f"{condition} AND ({places})", [*parameters, *(to_datetime(us) for span in merged for us in span)]


def _clusters(instants: Int64s, gap_us: int) -> list[tuple[int, int]]:
    """Sorted instants as (first, last) of each run without a gap."""
    if not len(instants):
        return []
    cuts = np.flatnonzero(np.diff(instants) > gap_us)
    starts = instants[np.append(0, cuts + 1)]
    ends = instants[np.append(cuts, len(instants) - 1)]
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _merged(spans: Int64s) -> list[tuple[int, int]]:
    """Spans as few that cover them all; those near each other become one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(map(tuple, spans.tolist())):
        if merged and start - merged[-1][1] <= _BETWEEN_US:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    if len(merged) > _SPANS_MAX:
        return [(merged[0][0], max(end for _, end in merged))]
    return merged
