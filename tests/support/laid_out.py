"""An installation that has been started once, to be copied: a first start makes the same cluster every time."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from fairwatt.server.config import Config
from fairwatt.server.launcher.services import Services

_FOLDER: Final = "FAIRWATT_TEST_LAID_OUT"
_KEPT: Final = ("secrets", "keys", "postgres")
"""What a copy takes along. Ports, logs and the backbone's store are its own."""


def open_folder() -> None:
    """Name the folder that all processes of this run share; they inherit its name."""
    folder = tempfile.mkdtemp(prefix="fairwatt-laid-out-")
    Path(folder).chmod(0o711)
    os.environ[_FOLDER] = folder


def remove_folder() -> None:
    shutil.rmtree(os.environ.pop(_FOLDER), ignore_errors=True)


def lay_out(state: Path) -> None:
    """Make `state` an installation that ran before: migrated, stopped, with keys and logins. Pytest only:
    measurements begin with a first start.
    """
    if _FOLDER not in os.environ:
        return
    model = Path(os.environ[_FOLDER]) / "state"
    with (model.parent / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (model.parent / "done").exists():
            with Services(Config(state=model)):
                pass
            (model.parent / "done").touch()
    state.mkdir(mode=0o711, parents=True)
    for name in _KEPT:
        if (model / name).exists():  # a temporary folder closed to others keeps its cluster elsewhere
            _copy(model / name, state / name)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)
    for path in [source, *source.rglob("*")]:
        twin, was = target / path.relative_to(source), path.lstat()
        os.chown(twin, was.st_uid, was.st_gid, follow_symlinks=False)
