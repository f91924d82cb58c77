"""A gateway's memory copied, and an old copy put back: what a restored disk image does to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from fairwatt.edge.agent import Agent
from fairwatt.simulate.estate import Gate


def keep_copy(gate: Gate) -> None:
    """Copy the memory of a running gateway, as a snapshot of its disk would."""
    if gate.agent is None:
        raise RuntimeError("the gateway is not running; there is no memory to copy")
    spool = gate.agent.config.spool
    with closing(sqlite3.connect(spool)) as memory, closing(sqlite3.connect(_copy_of(spool))) as copy:
        memory.backup(copy)


async def put_copy_back(gate: Gate, *, now: Callable[[], int]) -> None:
    """Switch the gateway off, put the copy in the place of its memory, and switch it on again."""
    if gate.agent is None:
        raise RuntimeError("the gateway is not running; nothing was put back")
    config = gate.agent.config
    await gate.agent.stop()
    for name in (config.spool, *config.spool.parent.glob(f"{config.spool.name}-*")):
        name.unlink(missing_ok=True)
    _copy_of(config.spool).rename(config.spool)
    gate.agent = Agent(config=config, now=now)
    await gate.agent.start()


def _copy_of(spool: Path) -> Path:
    return spool.with_suffix(".copy")
