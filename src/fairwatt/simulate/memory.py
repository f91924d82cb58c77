"""A gateway's memory copied, and an old copy put back: what a restored disk image does to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from fairwatt.edge.agent import Agent
from fairwatt.simulate.estate import Gate


async def keep_copy(gate: Gate, *, now: Callable[[], int]) -> None:
    """Switch a gateway off, copy its memory, and switch it on again."""
    agent = _running(gate)
    await agent.stop()
    for file in _files(agent.config.spool):
        shutil.copy2(file, _copy_of(file))
    await _start(gate, agent, now)


async def put_copy_back(gate: Gate, *, now: Callable[[], int]) -> None:
    """Switch a gateway off, put the copy in the place of its memory, and switch it on again."""
    agent = _running(gate)
    await agent.stop()
    for file in _files(agent.config.spool):
        file.unlink()
    for copy in agent.config.spool.parent.glob(f"copy-of-{agent.config.spool.stem}.*"):
        copy.rename(copy.with_name(copy.name.removeprefix("copy-of-")))
    await _start(gate, agent, now)


def _running(gate: Gate) -> Agent:
    if gate.agent is None:
        raise RuntimeError(f"{gate.slug} is not running; its memory was not touched")
    return gate.agent


async def _start(gate: Gate, agent: Agent, now: Callable[[], int]) -> None:
    gate.agent = Agent(config=agent.config, now=now)
    await gate.agent.start()


def _files(spool: Path) -> list[Path]:
    """The database and all that may stand beside it: a whole disk is put back, which no mark shows."""
    beside = (spool.with_suffix(".mark"), spool.with_suffix(".kept"), *spool.parent.glob(f"{spool.name}-*"))
    return [file for file in (spool, *beside) if file.exists()]


def _copy_of(file: Path) -> Path:
    return file.with_name(f"copy-of-{file.name}")
