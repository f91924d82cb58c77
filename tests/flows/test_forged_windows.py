"""A web process that lies about windows that ended settles nothing twice, nothing wrongly, and keeps none from it."""

from __future__ import annotations

from typing import Any

import pytest

from flows.test_windows import AUGUST_US, JULY_US, MINIMUM, billed, charged, close, true_ups, windows
from support.corrections import edit
from support.forged import add_fact, forge
from support.street import DAY_US, HOUR_US

pytestmark = pytest.mark.usefixtures("house")

SHOWN = [(JULY_US + 10 * DAY_US, 3_001), (AUGUST_US, 7_003)]


def july(desk: Any) -> dict[str, int]:
    return {"installation": desk.street.installations[0], "window_us": JULY_US}


@pytest.mark.parametrize(
    "payload",
    [{"installation": "x", "window_us": "y"}, {"installation": 10**30, "window_us": 10**30}, {}, [], "x"],
)
def test_a_fact_of_nonsense_keeps_no_window_from_being_settled(payload: Any) -> None:
    with windows(MINIMUM) as desk:
        meter = desk.home()
        add_fact(desk.street.book, "window_close", payload)
        for at, wh in SHOWN:
            desk.read(meter, at, wh)
        close(desk, AUGUST_US + HOUR_US)
        assert charged(desk, meter) == billed(MINIMUM, SHOWN, JULY_US, AUGUST_US)


def test_a_window_that_was_named_too_early_is_settled_when_it_ends() -> None:
    from fairwatt.core.ids import window_key

    with windows(MINIMUM) as desk:
        meter = desk.home()
        desk.read(meter, *SHOWN[0])
        key = window_key(installation=july(desk)["installation"], window_us=JULY_US)
        early = add_fact(desk.street.book, "window_close", july(desk), key=key)
        desk.post(now_us=SHOWN[0][0])
        assert desk.fact(early).result["code"] == "window_open"
        desk.read(meter, *SHOWN[1])
        assert close(desk, AUGUST_US + HOUR_US) == 1
        assert charged(desk, meter) == billed(MINIMUM, SHOWN, JULY_US, AUGUST_US)


def test_whoever_asks_and_under_whatever_key_a_window_is_charged_once() -> None:
    with windows(MINIMUM) as desk:
        meter = desk.home()
        for at, wh in SHOWN:
            desk.read(meter, at, wh)
        for n in range(3):
            add_fact(desk.street.book, "window_close", july(desk), key=f"again {n}")
            desk.post(now_us=AUGUST_US + n)
        close(desk, AUGUST_US + HOUR_US)
        assert len(true_ups(desk, meter)) == 1
        assert charged(desk, meter) == billed(MINIMUM, SHOWN, JULY_US, AUGUST_US)
        edit(desk, AUGUST_US, 7_004, now_us=AUGUST_US + HOUR_US)
        desk.post(now_us=AUGUST_US + HOUR_US)
        desk.open(now_us=AUGUST_US + HOUR_US)
        close(desk, AUGUST_US + HOUR_US)
        right = [SHOWN[0], (AUGUST_US, 7_004)]
        assert charged(desk, meter) == billed(MINIMUM, right, JULY_US, AUGUST_US)


def test_no_page_names_windows() -> None:
    from django.db import ProgrammingError

    with windows(MINIMUM) as desk, pytest.raises(ProgrammingError, match="row-level security"):
        desk.home()
        forge(desk.street.book, "window_close", july(desk))
