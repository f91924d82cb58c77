"""The keys of restore codes, from a file that the poster may open and the web may not."""

from __future__ import annotations

from fairwatt.core.commands.restore_code import MasterKey
from fairwatt.server.config import Config


def code_keys(config: Config) -> MasterKey:
    """The keys of this installation. Raises MissingSecret."""
    return MasterKey(config.secrets.require("restore").encode())
