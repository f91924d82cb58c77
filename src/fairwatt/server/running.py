"""Running one asyncio process until it is told to stop."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final

STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


def run_until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`; on a stop signal cancel it and let it clean up. An error of its own is raised."""
    asyncio.run(_guarded(work))


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    asked = False

    def stop() -> None:
        nonlocal asked
        if not asked:  # a second Ctrl-C must not interrupt the cleaning up
            asked = True
            task.cancel()

    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
