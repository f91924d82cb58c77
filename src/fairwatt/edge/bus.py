"""One wire of meters: one question at a time, opened when needed and again after a failure."""

import asyncio
from typing import Final

from fairwatt.drivers.contract import DriverError, Exchange
from fairwatt.edge.config import BusConfig
from fairwatt.edge.dtu_door import DtuDoor
from fairwatt.edge.lines import Line, call, open_serial

_TRIES_AT_ONCE: Final = 3
_RETRY_S: Final = 1.0
_RETRY_S_MAX: Final = 30.0


class BusDown(DriverError):
    """The line itself cannot be reached, so none of its meters can be."""

    code = "bus_down"


class Silent(DriverError):
    """The line is up, but the meter did not answer."""

    code = "no_answer"


class Garbled(DriverError):
    """The meter's answer made its driver fail: nothing of it is used."""

    code = "garbled"


class Bus:
    """Carries exchanges over one wire. ``door``: where a DTU of this bus is heard, if it is one that calls us."""

    def __init__(self, *, config: BusConfig, door: DtuDoor | None = None) -> None:
        self.config = config
        self._door = door
        self._lock = asyncio.Lock()
        self._line: Line | None = None
        self._failures = 0
        self._retry_at_s = 0.0
        self._why = ""
        self._spoke_s = 0.0

    async def ask[ReplyT](self, exchange: Exchange[ReplyT], /, *, attempts: int | None = None) -> ReplyT:
        """Return the meter's reply; ask it ``attempts`` times at most (default: as the bus is configured).

        Raises BusDown when the line fails, Silent when the meter does not answer, or the driver's own error.
        """
        async with self._lock:
            line = await self._connected()
            for _ in range(self.config.attempts if attempts is None else attempts):
                await self._keep_pace()
                try:
                    return await line.converse(exchange, self.config.reply_within_ms / 1000)
                except TimeoutError:
                    continue
                except DriverError as error:
                    # The driver counts attempts too; whoever gives up first, the meter was silent.
                    if error.code == Silent.code:
                        raise Silent(str(error)) from error
                    raise
                except OSError as error:
                    line.close()
                    raise BusDown(f"bus {self.config.name} broke: {error}") from error
                except Exception as error:
                    # Whatever one meter answers, its neighbours are still to be read.
                    raise Garbled(f"an answer on bus {self.config.name} cannot be read: {error!r}") from error
                finally:
                    self._spoke_s = asyncio.get_running_loop().time()
            raise Silent(f"a meter on bus {self.config.name} did not answer; its supply is as it was")

    async def _keep_pace(self) -> None:
        # Some meters lose the beginning of a question that follows too closely on somebody's answer.
        if self.config.pace_ms:
            rest_s = self._spoke_s + self.config.pace_ms / 1000 - asyncio.get_running_loop().time()
            if rest_s > 0:
                await asyncio.sleep(rest_s)

    async def _connected(self) -> Line:
        if self._door is not None:
            line = self._door.line(bus=self.config.name)
            if line is None:
                who = f"the DTU {self.config.dtu}" if self.config.dtu else "its DTU"
                raise BusDown(f"bus {self.config.name}: {who} has not called port {self._door.port}")
            self._line = line
            return line
        if self._line is not None and self._line.alive:
            return self._line
        now_s = asyncio.get_running_loop().time()
        if now_s < self._retry_at_s:
            raise BusDown(self._why)
        try:
            async with asyncio.timeout(self.config.connect_timeout_ms / 1000):
                self._line = await self._open()
        except (OSError, TimeoutError) as error:
            self._why = f"bus {self.config.name} cannot be reached: {error}"
            self._failures += 1
            # A few tries at once, then ever more rarely: a dead converter costs its timeout each time.
            if self._failures > _TRIES_AT_ONCE:
                pause_s = min(_RETRY_S_MAX, _RETRY_S * 2 ** min(self._failures - _TRIES_AT_ONCE, 5))
                self._retry_at_s = asyncio.get_running_loop().time() + pause_s
            raise BusDown(self._why) from error
        self._failures = 0
        return self._line

    async def _open(self) -> Line:
        config = self.config
        if config.device:
            return open_serial(device=config.device, baud=config.baud, parity=config.parity)
        return await call(host=config.host, port=config.port)

    def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()
            self._line = None
