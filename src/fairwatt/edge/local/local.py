"""The local link of one agent, whole: what is offered at the gateway, joined from its parts."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable, Collection
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from fairwatt.core.commands import restore_code
from fairwatt.core.commands.restore_code import Marker
from fairwatt.core.credit.decide import Reason
from fairwatt.edge.local.answers import Answer
from fairwatt.edge.local.bag import Bags
from fairwatt.edge.local.codes import enter_code, kinds_of
from fairwatt.edge.local.desk import Desk
from fairwatt.edge.local.emergency import RESTORED, Emergency
from fairwatt.edge.local.homes import Homes
from fairwatt.edge.local.http import HEAD_BYTES, HttpDoor
from fairwatt.edge.local.owner import OwnerSession
from fairwatt.edge.local.page import Page
from fairwatt.edge.local.settings import LocalConfig
from fairwatt.edge.local.streams import Visits, serial_streams
from fairwatt.edge.local.tokens import Tokens
from fairwatt.edge.meters import MeterPoint
from fairwatt.edge.obey import Obeyer
from fairwatt.wire import cose
from fairwatt.wire.commands import RelayOrder
from fairwatt.wire.local import GatewaySession
from fairwatt.wire.permits import Permit

if TYPE_CHECKING:
    from fairwatt.edge.agent import Agent

log = structlog.get_logger(__name__)

_AGAIN_S: Final = 30.0


class Local:
    """Everything local of one agent. `keep` at each pass; `open` and `close` with the agent."""

    def __init__(
        self,
        *,
        agent: Agent,
        obeyer: Obeyer,
        boot_id: bytes,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._agent, self._obeyer, self._entropy = agent, obeyer, entropy
        self._config = config = agent.config.local or LocalConfig()
        self._now = agent.clock.now_us
        place = agent.config
        code_key = config.code_key
        marker = (
            None
            if code_key is None
            else lambda meter, said: restore_code.mark_of(key=code_key, meter=meter, said=said)
        )
        self._emergency = Emergency(
            points=agent.meters.points,
            spool=agent.spool,
            doubt=agent.obeying.doubt,
            guard=agent.guard,
            marker=marker,
            sign=lambda payload: cose.sign(payload=payload, key=place.key, kid=place.kid, domain=RESTORED),
            prove=obeyer.proof,
            may_close=self._may_close,
            valid_s=place.relay_order_valid_s,
        )
        self._emergency.load()
        self._kinds = kinds_of(emergency=self._emergency, tokens=self._tokens(marker))
        self.homes = Homes(
            meters=tuple(agent.meters.points),
            known=config.homes,
            guard=agent.guard,
            spool=agent.spool,
            restored_until_us=lambda meter: self._emergency.in_force_until_us(
                meter=meter, now_us=self._now()
            ),
        )
        bags = Bags(
            config=place,
            issuers=lambda: agent.standing.issuers,
            spool=agent.spool,
            link=agent.link,
            boot_id=boot_id,
            obey=self._take_carried,
            now=self._now,
        )
        desk = Desk(gateway=place.gateway, codes=self, bags=bags, homes=self.homes, now=self._now)
        self.visits = Visits(desk=desk, session=self._session)
        self._owners = Visits(desk=desk, session=OwnerSession)
        self._page = Page(
            codes=self,
            homes=self.homes,
            now=self._now,
            entropy=entropy,
            zone=place.zone,
            currency=config.currency,
            hosts=config.hosts,
        )
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.doors: dict[str, int] = {}
        """name of a door -> the port it listens on"""

    def _tokens(self, marker: Marker | None) -> Tokens:
        agent = self._agent
        tokens = Tokens(
            points=agent.meters.points,
            spool=agent.spool,
            doubt=agent.obeying.doubt,
            guard=agent.guard,
            marker=marker,
            settle=self._settle,
            may_close=self._may_close,
            entropy=self._entropy,
            currency=self._config.currency,
        )
        tokens.load()
        return tokens

    async def _take_carried(self, message: bytes, /) -> bool:
        """Obey a signed command of any kind that somebody carried here; False when it is for nobody here."""
        command, obeying = self._obeyer.check(message), self._agent.obeying
        if command is not None:
            async with self._agent.turn_at(obeying.place_of(command)):
                await obeying.take(message, command)
        self._agent.link.records_wait(at_us=self._now())
        return command is not None

    def _may_close(self, meter: int, at_us: int) -> bool:
        # Danger is not debt: no code closes a relay that safety keeps open.
        return self._agent.safety.allows(
            meter=meter, relay=RelayOrder.CLOSED, reason=Reason.EMERGENCY_RESTORE, at_us=at_us
        )

    async def _settle(self, point: MeterPoint, /, *, at_us: int) -> None:
        if not self._agent.link.is_up(now_us=at_us):
            branch = self._agent.meters.branch_of(meter=point.number)
            await self._agent.deeds.settle(branch, point, at_us=at_us)

    def _session(self) -> GatewaySession:
        place = self._agent.config
        return GatewaySession(
            gateway=place.gateway,
            place=(place.book, place.site),
            key=place.key,
            kid=place.kid,
            issuers=lambda: self._agent.standing.issuers,
            now=self._now,
            entropy=self._entropy,
        )

    async def open(self) -> None:
        """Open the doors that are configured. One that cannot open is told and tried no more; meters come first."""
        if self._config.page is not None:
            door = HttpDoor(handler=self._page.answer)
            await self._listen("page", self._config.page.host, self._config.page.port, door.take, HEAD_BYTES)
        if self._config.tcp is not None:
            await self._listen("tcp", self._config.tcp.host, self._config.tcp.port, self._visit, 1 << 16)
        if self._config.serial:
            self._tasks.append(asyncio.create_task(self._serial(self._config.serial)))
        if self._config.ble:
            self._tasks.append(asyncio.create_task(self._ble(self._config.ble)))
        if self._config.socket is not None:
            await self._open_socket(self._config.socket)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        await self.visits.visit(reader, writer, address=str(peer[0]) if peer else "")

    async def _listen(
        self,
        name: str,
        host: str,
        port: int,
        take: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        limit: int,
    ) -> None:
        try:
            server = await asyncio.start_server(take, host, port, limit=limit)
        except OSError as error:
            log.error("local_door_shut", door=name, host=host, port=port, error=str(error))
            return
        self._servers.append(server)
        self.doors[name] = server.sockets[0].getsockname()[1]
        log.info("local_door_open", door=name, port=self.doors[name])

    async def _open_socket(self, path: Path) -> None:
        # Whoever may write it may type codes: nobody but the user this runs as.
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.stat().st_mode):
                path.unlink()
        umask = os.umask(0o177)
        try:
            self._servers.append(await asyncio.start_unix_server(self._owners.visit, path))
        except OSError as error:
            log.error("local_door_shut", door="socket", path=str(path), error=str(error))
        finally:
            os.umask(umask)

    async def _serial(self, device: str) -> None:
        while True:
            try:
                reader, writer = await serial_streams(device, baud=self._config.baud)
                with closing(writer):
                    await self.visits.stand_by(reader, writer)
            except OSError as error:
                log.warning("local_serial_down", device=device, error=str(error), retry_s=_AGAIN_S)
            except Exception:
                # Whatever a visitor made go wrong, the next one finds the door open.
                log.error("local_serial_down", device=device, exc_info=True, retry_s=_AGAIN_S)
            await asyncio.sleep(_AGAIN_S)

    async def _ble(self, transport: str) -> None:
        from fairwatt.edge.local.ble_gateway import advertise

        while True:
            try:
                await advertise(transport=transport, name=self._agent.config.gateway, visit=self.visits.visit)
            except Exception as error:
                # A radio that fails takes nothing else down.
                log.error("local_ble_down", error=f"{type(error).__name__}: {error}", retry_s=_AGAIN_S)
            await asyncio.sleep(_AGAIN_S)

    async def close(self) -> None:
        """Shut every door."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers:
            server.close()
            server.close_clients()
        self._servers, self._tasks = [], []

    def set_back(self, *, now_us: int) -> None:
        """The clock was found ahead and set back. Raises SpoolError."""
        self._emergency.set_back(now_us=now_us)

    async def keep(self, points: Collection[MeterPoint], /, *, at_us: int) -> None:
        """At each pass over a bus, with its turn held: restores that wait for their meter, and those that end."""
        for point in points:
            await self._emergency.keep(point, now_us=at_us)

    async def enter(self, *, meter: int, text: str, proven: bool = False) -> Answer:
        """Try typed text at a meter: a restore code, a token, or whatever kind of code it is."""
        async with self._agent.turn_at(self._agent.meters.points[meter]):
            answer = await enter_code(
                kinds=self._kinds, meter=meter, text=text, now_us=self._now(), proven=proven
            )
        self._agent.link.records_wait(at_us=self._now())
        log.info("code_typed", meter=meter, outcome=str(answer.outcome))
        return answer

    async def restore(self, *, meter: int, hours: int, permit: Permit) -> Answer:
        """Restore a meter on an administrator's permit."""
        async with self._agent.turn_at(self._agent.meters.points[meter]):
            answer = await self._emergency.by_permit(
                meter=meter, hours=hours, permit=permit, now_us=self._now()
            )
        self._agent.link.records_wait(at_us=self._now())
        return answer
