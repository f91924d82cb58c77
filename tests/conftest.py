"""The house that tests of flows, web and benchmarks share: one per worker, started when first needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairwatt.server.launcher.services import Services
from support.house import running_house


@pytest.fixture(scope="session")
def house() -> Iterator[Services]:
    """Real services, migrated; Django is the web role unless a test says `as_role`."""
    with running_house() as services:
        yield services
