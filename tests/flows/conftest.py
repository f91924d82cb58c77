"""A street and its poster, fresh for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairwatt.server.launcher.services import Services
from support.desk import Desk, opened_desk
from support.laws import check_laws
from support.street import Street


@pytest.fixture
def street(house: Services) -> Street:
    return Street()


@pytest.fixture
def desk(street: Street) -> Iterator[Desk]:
    """The poster of the street; whatever a test did, the laws hold at its end."""
    with opened_desk(street) as opened:
        yield opened
        check_laws(street.book, acked=opened.acked)
