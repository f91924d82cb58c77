"""Ports on the loopback that stay ours across a restart."""

import json
import socket
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fairwatt.server.config import Config
from fairwatt.server.errors import OperatorError

# Below the kernel's range for outgoing connections (32768 and up): a client that keeps knocking while a
# service is down would otherwise be given that very port, connect to itself, and keep the service from
# coming back.
FIRST: Final = 15_000
COUNT: Final = 15_000


class NoFreePort(OperatorError):
    """Every candidate port is taken."""


def choose_ports(config: Config, *, names: Iterable[str]) -> dict[str, int]:
    """Ports for `names`: last time's where still free, else the first free ones. Written to ports.json."""
    path = config.state / "ports.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    chosen = {str(name): int(port) for name, port in known.items()}
    for name in names:
        if name not in chosen or not is_free(chosen[name]):
            chosen[name] = _first_free(
                start=zlib.crc32(f"{config.state}/{name}".encode()), taken=set(chosen.values())
            )
    write_ports(path, chosen)
    return chosen


def write_ports(path: Path, ports: dict[str, int]) -> None:
    draft = path.with_name(".ports.json.new")
    draft.write_text(json.dumps(ports, indent=2, sort_keys=True) + "\n")
    draft.replace(path)


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _first_free(*, start: int, taken: set[int]) -> int:
    for step in range(COUNT):
        port = FIRST + (start + step) % COUNT
        if port not in taken and is_free(port):
            return port
    raise NoFreePort(f"No free port between {FIRST} and {FIRST + COUNT}; stop something and start again.")
