"""How often somebody may have messages sent, and telephones rung, by our pages: kept by address, person and place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairwatt.core.notices.pacing import KEPT_US, admit
from fairwatt.store import contacts


def hold_pace(*, cursor: Any, keys: Mapping[str, str], now_us: int) -> None:
    """Count one more for each ``{kind of limit: whose}``, in the caller's transaction. Raises TooOften.

    Every limit is looked at before any is used up.
    """
    for kind, whose in keys.items():
        found = contacts.past(cursor=cursor, key=f"{kind}:{whose}", since_us=now_us - KEPT_US)
        admit(kind=kind, past_us=found, now_us=now_us)
    for kind, whose in keys.items():
        contacts.done(cursor=cursor, key=f"{kind}:{whose}", now_us=now_us)
