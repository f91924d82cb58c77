"""The agent at the meters as a process: `python -m fairwatt.server.edge_process edge.toml`.

That is what `fairwatt edge run` becomes. Imports neither Django nor a database: gateways have neither. And no
command line: gateways are small.
"""

import sys
from pathlib import Path

import structlog

from fairwatt.drivers.contract import DriverError
from fairwatt.edge.agent import Agent
from fairwatt.edge.config import ConfigError
from fairwatt.edge.settings_file import load
from fairwatt.edge.spool import SpoolError
from fairwatt.edge.status import answering
from fairwatt.server.clock import SteadyClock, clock_for
from fairwatt.server.config import Config
from fairwatt.server.errors import OperatorError
from fairwatt.server.running import run_until_signalled


def run_edge(config: Config, *, settings: Path, json_log: bool = False) -> None:
    """Be the agent of one gateway until stopped; raises OperatorError when it cannot start or go on."""
    if json_log:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso"),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ]
        )
    try:
        clock = SteadyClock() if config.clock_file is None else clock_for(config)
        agent = Agent(config=load(settings), now=clock.now_us)
        run_until_signalled(agent.run(beside=answering))
    except (ConfigError, SpoolError, DriverError) as broken:
        raise OperatorError(str(broken)) from broken
    except OSError as broken:
        raise OperatorError(f"{broken}; the agent does not run, supply stays as it is") from broken


def main(arguments: list[str]) -> int:
    """Run the agent with this settings file, with `--json` logging in JSON; return the exit code."""
    settings, *options = arguments
    try:
        run_edge(Config.load(), settings=Path(settings), json_log="--json" in options)
    except OperatorError as error:
        print(f"fairwatt: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
