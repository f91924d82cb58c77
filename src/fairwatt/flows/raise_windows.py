"""Windows that ended become facts: each once when its readings are in, and again after what came to be known later.

What the poster refused is asked again a day later, under a key that names the refusal.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from fairwatt.core.ids import window_key
from fairwatt.core.rating.closing import closed_windows, closing_of
from fairwatt.core.rating.elements.base import TariffError
from fairwatt.core.rating.live import as_live, bill_day_of
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.units import US_PER_DAY
from fairwatt.store import accounts, facts
from fairwatt.store.models import TariffPublication

TARIFFS_KEPT: Final = 256
AGAIN_US: Final = US_PER_DAY


def raise_windows(*, cursor: Any, book: int, now_us: int) -> int:
    """Write a fact for every window of a book that is over and read to its end; return how many are new."""
    newest = TariffPublication.objects.filter(plan__book=book).order_by("plan_id", "-pk").distinct("plan_id")
    plans = {row.plan_id: row.text for row in newest if _settling(row.text, 1) is not None}
    if not plans:
        return 0
    raised = 0
    known = facts.asked_for(cursor=cursor, book=book, kind="window_close", again_us=now_us - AGAIN_US)
    for register in accounts.open_registers(cursor=cursor, book=book, plans=list(plans)):
        # A window is over when a reading says so: until then its use is not known.
        until_us = min(register.at_us, now_us)
        windows = closed_windows(
            schedule=_of_account(plans[register.plan], register.started_us),
            since_us=register.opened_us,
            until_us=until_us,
        )
        for window in windows:
            key = window_key(installation=register.installation, window_us=window.start_us)
            if key not in known:
                raised += _raise(
                    cursor, book, key, register.wallet, register.installation, window.start_us, now_us
                )
    for installation, wallet, window_us, batch in accounts.windows_to_settle_again(cursor=cursor, book=book):
        key = window_key(installation=installation, window_us=window_us, batch=batch)
        if key not in known:
            raised += _raise(cursor, book, key, wallet, installation, window_us, now_us)
    return raised


def _raise(
    cursor: Any, book: int, key: str, wallet: int, installation: int, window_us: int, now_us: int
) -> int:
    _, fresh = facts.add(
        cursor=cursor,
        book=book,
        kind="window_close",
        natural_key=facts.fresh_key(cursor=cursor, book=book, kind="window_close", key=key),
        wallet=wallet,
        payload={"installation": installation, "window_us": window_us},
        raw=b"",
        now_us=now_us,
    )
    return int(fresh)


def _of_account(text: str, started_us: int) -> Schedule:
    """A settling tariff for an account that began at an instant."""
    found = _settling(text, 1)
    assert found is not None, "asked for settling tariffs only"
    day = bill_day_of(schedule=found, started_us=started_us)
    return _settling(text, day) or found


@lru_cache(maxsize=TARIFFS_KEPT)
def _settling(text: str, bill_day: int) -> Schedule | None:
    """The tariff, if anything in it waits for the end of a window; one that cannot be read was told by an alarm."""
    try:
        schedule = as_live(parse_schedule(text), bill_day=bill_day)
        return schedule if closing_of(schedule) is not None else None
    except TariffError:
        return None
