"""Where meters that speak by themselves are heard: one MQTT broker, listened to for as long as the agent runs."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import aiomqtt
import structlog
from aiomqtt.exceptions import MqttConnectError

from fairwatt.drivers.contract import Exchange
from fairwatt.drivers.errors import CannotReach
from fairwatt.edge.config import ListenConfig

log = structlog.get_logger(__name__)

_ANSWER_WITHIN_S: Final = 10.0
_WAITING_ORDERS: Final = 1024

type Take = Callable[[str, bytes], Awaitable[None]]


class Ear:
    """Hears what is said on some topics, and says what is to be said to the devices there.

    ``identifier`` is the same after a restart: what was said meanwhile, the broker has kept for us.
    """

    def __init__(self, *, config: ListenConfig, topics: Iterable[str], identifier: str) -> None:
        self.config = config
        self._topics = tuple(topics)
        self._identifier = identifier
        self._dice = random.Random(identifier)
        self._orders: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(maxsize=_WAITING_ORDERS)
        self.connected = asyncio.Event()

    async def ask[ReplyT](self, exchange: Exchange[ReplyT], /, *, attempts: int | None = None) -> ReplyT:
        """Nobody here can be asked. Raises CannotReach."""
        raise CannotReach(f"a meter of {self.config.name} speaks by itself and cannot be asked")

    def say(self, topic: str, message: bytes, /) -> bool:
        """Say something to a device, if we are connected. What is lost is said again when the device speaks."""
        if not self.connected.is_set() or self._orders.full():
            return False
        self._orders.put_nowait((topic, message))
        return True

    def close(self) -> None:
        """Nothing is left open between two runs."""

    async def run(self, take: Take, /) -> None:
        """Listen until cancelled; ``take`` gets every message, one after the other."""
        pause_s = self.config.reconnect_min_s
        while True:
            try:
                async with self._client() as client:
                    await self._session(client, take)
            except* MqttConnectError as group:
                # Wrong credentials do not mend themselves in a second.
                pause_s = self.config.reconnect_max_s
                log.error("listen_refused", listen=self.config.name, error=_first(group), retry_s=pause_s)
            except* (aiomqtt.MqttError, OSError) as group:
                log.warning("listen_down", listen=self.config.name, error=_first(group), retry_s=pause_s)
            except* Exception as group:
                # The meters of the other lines are read whatever ails this one.
                log.critical("listen_failed", listen=self.config.name, error=_first(group), exc_info=True)
            finally:
                was_up = self.connected.is_set()
                self.connected.clear()
                while not self._orders.empty():
                    self._orders.get_nowait()
            pause_s = self.config.reconnect_min_s if was_up else pause_s
            await asyncio.sleep(pause_s * self._dice.uniform(0.7, 1.0))
            pause_s = min(pause_s * 2, self.config.reconnect_max_s)

    def _client(self) -> aiomqtt.Client:
        config = self.config
        return aiomqtt.Client(
            config.host,
            config.port,
            username=config.username,
            password=config.password,
            identifier=self._identifier,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=False,
            keepalive=config.keepalive_s,
            timeout=_ANSWER_WITHIN_S,
        )

    async def _session(self, client: aiomqtt.Client, take: Take) -> None:
        for topic in self._topics:
            granted = await client.subscribe(topic, qos=1)
            if any(getattr(code, "is_failure", code == 0x80) for code in granted):
                raise aiomqtt.MqttError(f"the broker refuses {topic}: check the rights of this login")
        self.connected.set()
        log.info("listen_up", listen=self.config.name, topics=len(self._topics))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear(client, take))
            tasks.create_task(self._say(client))

    async def _hear(self, client: aiomqtt.Client, take: Take) -> None:
        async for message in client.messages:
            payload = message.payload
            await take(str(message.topic), payload if isinstance(payload, bytes) else b"")

    async def _say(self, client: aiomqtt.Client) -> None:
        while True:
            topic, message = await self._orders.get()
            await client.publish(topic, message, qos=1)


def _first(group: BaseExceptionGroup[BaseException]) -> str:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else f"{type(error).__name__}: {error}"
