"""The table ``[local]`` of edge.toml: what this gateway offers to people who stand before it.

[local]   code_key (0600, made at commissioning), homes (file), currency, page ("host:port"), hosts (names the page
          may be called by), tcp ("host:port"), serial (device), baud, ble (a bumble transport; needs the extra ble),
          socket (a Unix socket for commands on this machine; default local.sock beside the spool)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fairwatt.edge.local.homes import Home, read_homes

KEY_BYTES: Final = 32


class LocalSettingsError(ValueError):
    """A setting of ``[local]`` cannot be used; the text names it. Nothing was started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A host and a port to listen on; port 0 takes any free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig:
    """What of the local link is offered. Everything that is None stays shut."""

    code_key: bytes | None = field(default=None, repr=False)
    homes: Mapping[int, Home] = field(default_factory=dict)
    currency: str = ""
    page: Door | None = None
    hosts: frozenset[str] = frozenset()
    tcp: Door | None = None
    serial: str = ""
    baud: int = 115_200
    ble: str = ""
    socket: Path | None = None


def read_local(tree: Mapping[str, Any], *, folder: Path, spool: Path) -> LocalConfig:
    """Make the settings from their table. Relative paths start at ``folder``. Raises LocalSettingsError."""
    known = {"code_key", "homes", "currency", "page", "hosts", "tcp", "serial", "baud", "ble", "socket"}
    if strange := sorted(set(tree) - known):
        raise LocalSettingsError(f"local.{strange[0]} is no setting; there are {', '.join(sorted(known))}")
    try:
        return LocalConfig(
            code_key=read_code_key(folder / tree["code_key"]) if "code_key" in tree else None,
            homes=read_homes(folder / tree["homes"]) if "homes" in tree else {},
            currency=str(tree.get("currency", "")),
            page=_door(tree.get("page"), "page"),
            hosts=frozenset(str(name).lower() for name in tree.get("hosts", ())),
            tcp=_door(tree.get("tcp"), "tcp"),
            serial=str(tree.get("serial", "")),
            baud=int(tree.get("baud", 115_200)),
            ble=str(tree.get("ble", "")),
            socket=folder / tree["socket"] if "socket" in tree else spool.with_name("local.sock"),
        )
    except OSError as error:
        raise LocalSettingsError(f"a file of [local] cannot be read: {error}") from error


def read_code_key(path: Path, /) -> bytes:
    """The secret of this gateway's codes, in hex. Raises LocalSettingsError, OSError."""
    if path.stat().st_mode & 0o077:
        raise LocalSettingsError(f"{path} can be read by others: run chmod 600 on it")
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise LocalSettingsError(
            f"{path} does not hold {KEY_BYTES} bytes in hex; copy it from commissioning again"
        )
    return key


def _door(text: Any, name: str) -> Door | None:
    if text is None:
        return None
    host, _, port = str(text).rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise LocalSettingsError(f"local.{name} is written host:port, for example 0.0.0.0:8080")
    return Door(host=host.strip("[]"), port=int(port))
