"""The one way in for signed commands, whoever brought them: the line or a courier."""

from __future__ import annotations

from collections.abc import Callable

from fairwatt.edge.config import EdgeConfig
from fairwatt.edge.guard import Guard
from fairwatt.edge.meters import MeterPoint, Meters
from fairwatt.edge.obey import Obeyer
from fairwatt.edge.rollback import Doubt
from fairwatt.edge.spool import Spool
from fairwatt.edge.standing import Standing
from fairwatt.wire.commands import SET_SUPPLY, Command


class Obeying:
    """Orders for supply and for everything else, under one memory and one set of keys."""

    def __init__(
        self,
        *,
        config: EdgeConfig,
        spool: Spool,
        meters: Meters,
        guard: Guard,
        now: Callable[[], int],
        on_settings: Callable[[EdgeConfig], None],
    ) -> None:
        self._meters = meters
        self.doubt = Doubt(spool=spool)
        self.standing = Standing(
            config=config, spool=spool, doubt=self.doubt, meters=meters, now=now, on_settings=on_settings
        )
        self.supply = Obeyer(
            config=config,
            issuers=lambda: self.standing.issuers,
            spool=spool,
            doubt=self.doubt,
            meters=meters,
            guard=guard,
            now=now,
        )

    def place_of(self, command: Command, /) -> MeterPoint:
        """Whose turn a command takes: its meter's; any other's where it is for the gateway itself."""
        point = self._meters.points.get(command.meter)
        return point or self._meters.branches[0].points[0]

    async def take(self, message: bytes, command: Command, /) -> None:
        """Obey a checked command by its kind. Nothing else may ask or switch at its place meanwhile."""
        if command.kind == SET_SUPPLY:
            await self.supply.take(message, command)
        else:
            await self.standing.take(message, command)
