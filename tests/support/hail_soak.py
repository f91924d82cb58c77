"""A hundred thousand commands through hail: the long form of `simulation/test_hail.py`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from support.hail import hailed
from support.house import running_house

_TELL_EVERY = 5_000


def main() -> None:
    """Let it hail for long, and print the figures; a broken law is an exception."""
    asked = argparse.ArgumentParser(prog="python -m support.hail_soak", description=main.__doc__)
    asked.add_argument("--commands", type=int, default=100_000)
    asked.add_argument("--homes", type=int, default=200)
    asked.add_argument("--seed", type=int, default=41)
    said = asked.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    told = 0

    def progress(given: int) -> None:
        # On a screen all the time, in a log now and then.
        nonlocal told
        if sys.stderr.isatty():
            print(f"\r{given:,} of {said.commands:,} commands", end="", file=sys.stderr, flush=True)
        elif given - told >= _TELL_EVERY:
            told = given
            print(f"{given:,} of {said.commands:,} commands", file=sys.stderr, flush=True)

    with running_house(), tempfile.TemporaryDirectory(prefix="fairwatt-hail-") as folder:
        figures = hailed(
            folder=Path(folder),
            seed=said.seed,
            homes=said.homes,
            commands=said.commands,
            progress=progress,
        )
    print(json.dumps({"seed": said.seed, **figures}))


if __name__ == "__main__":
    main()
