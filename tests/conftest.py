"""The house that tests of flows, web and benchmarks share: one per worker, started when first needed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from fairwatt.server.launcher.services import Services
from support import laid_out
from support.house import running_house

settings.register_profile("gate", derandomize=True, deadline=None, max_examples=40)
settings.register_profile("explore", derandomize=False, deadline=None)
settings.load_profile("gate")
"""A gate says the same of the same code; `make explore` looks for what nobody has seen yet."""


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        laid_out.open_folder()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        laid_out.remove_folder()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole streets first: they take half a minute each, and at the end all other processes would wait for one."""
    items.sort(key=lambda item: "simulation" not in item.path.parts)


@pytest.fixture(scope="session")
def house() -> Iterator[Services]:
    """Real services, migrated; Django is the web role unless a test says `as_role`."""
    with running_house() as services:
        yield services
