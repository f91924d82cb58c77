"""The agent at the meters as a process. Imports neither Django nor a database: gateways have neither."""

from pathlib import Path

from fairwatt.edge.agent import Agent
from fairwatt.edge.config import ConfigError, load
from fairwatt.edge.spool import SpoolError
from fairwatt.server.clock import clock_for
from fairwatt.server.config import Config
from fairwatt.server.errors import OperatorError
from fairwatt.server.running import run_until_signalled


def run_edge(config: Config, *, settings: Path) -> None:
    """Be the agent of one gateway until stopped; raises OperatorError when it cannot start or go on."""
    try:
        agent = Agent(config=load(settings), now=clock_for(config).now_us)
        run_until_signalled(agent.run())
    except (ConfigError, SpoolError) as broken:
        raise OperatorError(str(broken)) from broken
