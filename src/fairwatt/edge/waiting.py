"""Waiting for an agent in wall time: tests, drills and lock-step runs hold their breath here."""

import asyncio

from fairwatt.edge.link import Link
from fairwatt.edge.orders import Orders
from fairwatt.edge.spool import Spool


class Waits:
    """What can be waited for. The agent says when something moved."""

    spool: Spool
    link: Link
    _progress: asyncio.Event
    _orders: Orders

    def _raise_if_dead(self) -> None:
        raise NotImplementedError

    async def wait_connected(self, timeout_s: float) -> bool:
        """Wait (wall time) until the broker has accepted us; say whether it has."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.link.connected.wait()
        except TimeoutError:
            return False
        return True

    def drained(self) -> bool:
        """Say whether everything is acknowledged and no command is waiting or being carried out."""
        return not self.spool.count and not self._orders.under_way

    async def wait_drained(self, timeout_s: float) -> bool:
        """Wait (wall time) until `drained`; say whether it is."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.drained():
                    self._raise_if_dead()
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True
