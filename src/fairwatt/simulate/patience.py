"""Somebody who meets a crashed database tries again."""

from __future__ import annotations

import time
from collections.abc import Callable


def persistent[T](deed: Callable[[], T]) -> T:
    """Do what somebody does on a page, as often as it takes until the database is there."""
    from django.db import InterfaceError, OperationalError, connection

    while True:
        try:
            return deed()
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(0.05)
