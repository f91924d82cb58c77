"""The command line in this process, over the house that runs: each command enters as the role it would enter as."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from typer.testing import CliRunner

from fairwatt.server import wiring
from fairwatt.server.config import DatabaseRole
from fairwatt.server.errors import OperatorError
from support.house import as_role


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left: its exit code, what it printed, and what it complained of."""

    code: int
    out: str
    err: str


def fairwatt(*words: str) -> Said:
    """Run `fairwatt words...`; what it does not foresee is raised."""
    from fairwatt.cli.main import app

    with ExitStack() as entered, pytest.MonkeyPatch.context() as patch:

        def enter(*, role: DatabaseRole) -> None:
            entered.enter_context(as_role(role))

        patch.setattr(wiring, "use_django", enter)
        done = CliRunner().invoke(app, words)
    if isinstance(done.exception, OperatorError):
        return Said(done.exception.exit_code, done.stdout, f"{done.stderr}fairwatt: {done.exception}")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Said(done.exit_code, done.stdout, done.stderr)
