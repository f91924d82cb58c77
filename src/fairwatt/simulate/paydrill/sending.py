"""Delivers reports to the product's door over connections that stay open, and times the answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from fairwatt.simulate.pay.talking import Report

PATIENCE_S: Final = 10
HANDS: Final = 24

_mine = threading.local()


def deliver(report: Report) -> int:
    """Deliver one report; the HTTP status, or 0 when nobody answered. Each thread keeps its connection."""
    parts = urlsplit(report.url)
    for fresh in (False, True):
        line: HTTPConnection | None = getattr(_mine, "line", None)
        if line is None or fresh:
            line = _mine.line = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
        try:
            line.request("POST", parts.path, body=report.body, headers=dict(report.headers))
            answer = line.getresponse()
            answer.read()
            return answer.status
        except (OSError, HTTPException):
            line.close()
            _mine.line = None
    return 0


def steadily(
    reports: Sequence[Report], *, rate: int, progress: Callable[[int], None] = lambda _: None
) -> tuple[list[float], list[Report]]:
    """Deliver so many a second whatever the answers do; seconds from when each was due, and what was not taken.

    An answer that is late makes the ones behind it late as well: waiting in the queue is counted.
    """
    took: list[float] = []
    refused: list[Report] = []
    began_s = time.monotonic() + 0.2

    def one(n: int, report: Report) -> None:
        due_s = began_s + n / rate
        time.sleep(max(0.0, due_s - time.monotonic()))
        status = deliver(report)
        took.append(time.monotonic() - due_s)
        if not 200 <= status < 300:
            refused.append(report)
        if n % rate == 0:
            progress(n)

    with ThreadPoolExecutor(HANDS, thread_name_prefix="reporting") as hands:
        for future in [hands.submit(one, n, report) for n, report in enumerate(reports)]:
            future.result()
    return took, refused


def quantile(values: Sequence[float], per_mille: int) -> float:
    """The value that so many per mille do not exceed."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * per_mille // 1000) - 1))]
