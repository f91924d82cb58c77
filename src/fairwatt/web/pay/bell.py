"""Calls whoever waits for what the door has stored: one voice for all hands, and never two calls at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import Final

from django.db import connection

from fairwatt.store import calls

log = logging.getLogger(__name__)

RETRY_S: Final = 0.2
REST_S: Final = 0.03
"""Between two calls: in a flood the poster takes several payments into each batch, which costs it half the work."""


class Bell:
    """Rings in a thread of its own; what is rung meanwhile goes out together, once."""

    def __init__(self) -> None:
        self._due: set[calls.Call] = set()
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._voice: threading.Thread | None = None

    def ring(self, some: Iterable[calls.Call]) -> None:
        """Call soon; while the database is away, as soon as it is back."""
        with self._lock:
            self._due.update(some)
            if not self._due:
                return
            if self._voice is None:
                self._voice = threading.Thread(target=self._speak, name="bell", daemon=True)
                self._voice.start()
        self._wake.set()

    def _speak(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                due, self._due = self._due, set()
            try:
                if due:
                    with connection.cursor() as cursor:
                        calls.call(cursor=cursor, calls=due)
                    time.sleep(REST_S)
            except Exception:  # whatever it is, nobody would start this thread again
                connection.close()
                log.warning("callback.call_waits", exc_info=True)
                time.sleep(RETRY_S)
                self.ring(due)
