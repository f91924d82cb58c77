"""Which buses a command of commissioning asks: those of a gateway's settings, or one given by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fairwatt.server.errors import BadInput, OperatorError

if TYPE_CHECKING:
    from fairwatt.edge.config import BusConfig


def by_hand(*, host: str, port: int, device: str, baud: int, parity: str) -> list[BusConfig]:
    """One bus without settings. Raises BadInput."""
    from fairwatt.edge.config import BusConfig, ConfigError

    if host and not port:
        raise BadInput("--host needs its --port. Nothing was asked; say for example --port 8899.")
    try:
        return [
            BusConfig(
                name=device or f"{host}:{port}",
                meters=(),
                host=host,
                port=port,
                device=device,
                baud=baud,
                parity=parity,
            )
        ]
    except ConfigError as error:
        raise BadInput(f"{error}. Nothing was asked.") from error


def of_settings(path: Path, name: str) -> list[BusConfig]:
    """The buses of a gateway, or the one of that name, while its agent does not run. Raises BadInput, OperatorError."""
    from fairwatt.edge.config import ConfigError
    from fairwatt.edge.settings_file import load
    from fairwatt.edge.status import ask

    try:
        config = load(path)
    except ConfigError as error:
        raise BadInput(str(error)) from error
    buses = [bus for bus in config.buses if name in ("", bus.name)]
    if not buses:
        known = ", ".join(bus.name for bus in config.buses)
        raise BadInput(f"{path} has no bus {name!r}, only {known}. Nothing was asked.")
    calling = [bus.name for bus in buses if bus.listen_port]
    if calling:
        raise BadInput(
            f"Bus {calling[0]} is behind a DTU that calls the agent, so it cannot be asked from here. Nothing was "
            "asked; name another with --bus, or reach its line over a converter or a serial port."
        )
    if ask(spool=config.spool) is not None:
        raise OperatorError(
            f"The agent of {path} runs, and two that ask on one bus spoil each other's answers. Nothing was asked; "
            "stop the agent, ask, and start it again: it goes on by its memory."
        )
    return buses
