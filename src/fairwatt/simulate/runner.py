"""Running a scenario from start to verdict: what demo-check, simulate and replay share."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fairwatt.server.launcher.fleet import PROGRAM
from fairwatt.simulate.channels import Channels, lines_of
from fairwatt.simulate.scenario import Scenario
from fairwatt.simulate.stack import Stack
from fairwatt.simulate.street import Street
from fairwatt.simulate.verdict import Verdict, judge

CHANNEL_MINOR = 20_00


@contextmanager
def scratch_state() -> Iterator[Path]:
    """A state folder for one run, removed afterwards with its database."""
    folder = Path(tempfile.mkdtemp(prefix="fairwatt-run-"))
    folder.chmod(0o711)
    try:
        yield folder / "state"
    finally:
        remove_state(folder / "state")
        shutil.rmtree(folder, ignore_errors=True)


def remove_state(state: Path) -> None:
    """A state folder with its database, wherever that is."""
    note = state / "postgres.home"
    if note.exists():
        shutil.rmtree(note.read_text().strip(), ignore_errors=True)
    shutil.rmtree(state, ignore_errors=True)


def run_scenario(
    *,
    scenario: Scenario,
    progress: Callable[[int], None] = lambda _: None,
    program: Sequence[str] = PROGRAM,
    by_channel: bool = False,
) -> Verdict:
    """Run a scenario through the whole product in a fresh installation, and judge it.

    `progress` is told each finished tick; `program` starts our processes; `by_channel`: in the end a top-up by each
    channel is watched arriving. Raises StreetStuck when the
    product does not come to rest.
    """
    with (
        scratch_state() as state,
        Stack(state=state, domain_us=scenario.start_us, program=program, say=_drill) as stack,
    ):
        street = Street(stack=stack, scenario=scenario, progress=progress)
        street.provision()
        stack.open_doors()
        began = time.monotonic()
        try:
            verdict = asyncio.run(_run(street, by_channel=by_channel))
        except BaseException:
            show_logs(state)
            raise
        verdict.figures["run_s"] = round(time.monotonic() - began, 1)
        return verdict


def _drill(text: str) -> None:
    """The supervisor's word on a process that ended: here it was killed on purpose."""
    print(f"crash drill: {text}", file=sys.stderr)


def show_logs(state: Path) -> None:
    """The end of each process's log, before the folder goes away."""
    for log in sorted((state / "log").glob("*.log")):
        for line in log.read_text(errors="replace").splitlines()[-15:]:
            print(f"{log.stem}: {line}", file=sys.stderr)


async def _run(street: Street, *, by_channel: bool) -> Verdict:
    await street.open()
    try:
        await street.pay_openings()
        await street.run()
        if not by_channel:
            return await judge(street=street)
        channels = Channels(street=street, in_process=True)
        # Shops and a window are opened while the run is judged: none of it moves money or supply.
        verdict, _ = await asyncio.gather(judge(street=street), channels.open())
        verdict.broken += await channels.each_once(street.doors, amount_minor=CHANNEL_MINOR)
        verdict.figures |= lines_of(channels.arrivals)
        return verdict
    finally:
        await street.close()
