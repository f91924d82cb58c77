"""Own state folders and own services: these tests stop and kill what others rely on."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fairwatt.server.config import Config
from fairwatt.server.launcher.services import Services
from support.laid_out import lay_out


@pytest.fixture(scope="session")
def make_config() -> Iterator[Callable[..., Config]]:
    """Makes installations in folders that any user may walk to, `fresh` or started before; removed at the end."""
    made: list[Path] = []

    def make(*, fresh: bool = False) -> Config:
        folder = Path(tempfile.mkdtemp(prefix="fairwatt-test-"))
        folder.chmod(0o711)
        made.append(folder)
        if not fresh:
            lay_out(folder / "state")
        return Config(state=folder / "state")

    yield make
    for folder in made:
        note = folder / "state" / "postgres.home"
        if note.exists():
            shutil.rmtree(note.read_text().strip())
        shutil.rmtree(folder)


@pytest.fixture
def config(make_config: Callable[..., Config]) -> Config:
    return make_config()


@pytest.fixture(scope="module")
def running(make_config: Callable[..., Config]) -> Iterator[Services]:
    """Migrated services that live as long as the tests of one file."""
    with Services(make_config()) as services:
        yield services


@pytest.fixture
def as_root() -> bool:
    return os.geteuid() == 0
