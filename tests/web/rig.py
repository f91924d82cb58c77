"""A real web server and a real payment platform around a scene, and a browser in front of them."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairwatt.server.clock import ClockFile
from fairwatt.server.config import Config
from fairwatt.server.keys import SANDBOX_PROVIDER, load_private_key
from fairwatt.simulate.paysim import PaySim
from web.scene import NOW_US

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """Where the faces are, and the clock they live by."""

    origin: str
    clock: ClockFile
    sim: PaySim
    config: Config


@contextmanager
def open_site() -> Iterator[Site]:
    """Serve the faces as `fairwatt up` does: uvicorn, role web, a payment platform beside it."""
    config = Config.load()
    port = _free_port()
    origin = f"http://127.0.0.1:{port}"
    clock_file = config.state / "clock"
    clock = ClockFile.create(clock_file, domain_us=NOW_US)
    with _platform(config, f"{origin}/pay/callback/sandbox", clock) as sim:
        paysim_url = sim.url
        ours = dataclasses.replace(config, clock_file=clock_file, origin=origin, paysim_url=paysim_url)
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "support.served:application", "--port", str(port)),
                *("--lifespan", "off", "--log-level", "warning", "--timeout-graceful-shutdown", "1"),
            ],
            env={**ours.child_env(role="web"), "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        try:
            _wait_for(f"{origin}/accounts/login/", server)
            yield Site(origin=origin, clock=clock, sim=sim, config=ours)
        finally:
            server.terminate()
            server.wait(timeout=20)


@contextmanager
def _platform(config: Config, callback_url: str, clock: ClockFile) -> Iterator[PaySim]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> PaySim:
        platform = PaySim(
            key=load_private_key(config.keys, name=SANDBOX_PROVIDER),
            callback_url=callback_url,
            now_us=clock.now_us,
            seed=1,
        )
        await platform.start()
        return platform

    platform = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield platform
    finally:
        asyncio.run_coroutine_threadsafe(platform.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert server.poll() is None, "the web server ended by itself"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer within twenty seconds")


def axe_source() -> str:
    """The accessibility checker, from npm."""
    path = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
    assert path.exists(), "run `make assets` first: the browser tests need axe-core from npm"
    return path.read_text()


def serious(page: Any) -> list[str]:
    """What axe calls serious or critical on this page, one line each."""
    found = page.evaluate(
        "async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}))"
        ".violations.filter(v => ['serious', 'critical'].includes(v.impact))"
        ".map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120) + ' ' + n.any.map(a => a.message)).join(' | '))"
    )
    return [str(line) for line in found]
