"""The courier's door to the log: frames he brought go where a gateway's own would have gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import nats


async def publish(*, url: str, subject: str, frames: Sequence[bytes]) -> None:
    """Put frames into the log, each acknowledged by it. Raises what the backbone raises."""
    client = await nats.connect(url, name="fairwatt-courier", connect_timeout=5, max_reconnect_attempts=2)
    try:
        log = client.jetstream(timeout=10)
        for frame in frames:
            await log.publish(subject, frame)
    finally:
        await client.close()


def wait_until(done: Callable[[], bool], *, within_s: float) -> bool:
    """Look again until it is so; False when it does not come true in time (wall time)."""
    until_s = time.monotonic() + within_s
    while not done():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.2)
    return True


def run_publish(*, url: str, subject: str, frames: Sequence[bytes]) -> None:
    """`publish`, from a command."""
    asyncio.run(publish(url=url, subject=subject, frames=frames))
