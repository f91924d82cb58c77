"""One lived-in building for all tests of the faces, and a clock that stands where its story ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from web.scene import NOW_US, Scene


@dataclass
class StandingClock:
    """Time that a test moves by hand."""

    at_us: int = NOW_US

    def now_us(self) -> int:
        return self.at_us


@pytest.fixture(scope="session")
def scene(house: Services) -> Scene:
    """The building of Maple Living, seventeen days old."""
    made = Scene()
    made.live()
    return made


@pytest.fixture(scope="session")
def other(house: Services) -> Scene:
    """Another company's small building: its staff and residents are strangers to the first."""
    made = Scene(floors=1, columns=3)
    made.live()
    return made


@pytest.fixture(autouse=True)
def in_english(house: Services) -> None:
    """No language that a page of an earlier test was read in stays for this one."""
    from django.utils import translation

    translation.activate("en")


@pytest.fixture
def clock(house: Services) -> Iterator[StandingClock]:
    """The faces' clock, standing at the end of the story."""
    from django.conf import settings
    from django.test import override_settings

    standing = StandingClock()
    with override_settings(
        FAIRWATT_CLOCK=standing,
        ALLOWED_HOSTS=[*settings.ALLOWED_HOSTS, "testserver"],
        WHITENOISE_AUTOREFRESH=True,  # else each browser session reads the whole folder of static files
    ):
        yield standing


@pytest.fixture
def signed_in(clock: StandingClock) -> Any:
    """signed_in(user) is a browser session of that person; signed_in(None) of a passer-by."""
    from django.test import Client

    def start(user: Any) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return start
