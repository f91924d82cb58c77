"""A small line to a simulated bus: what the edge does with an exchange, without its bookkeeping."""

from __future__ import annotations

import asyncio

from fairwatt.drivers.contract import Exchange, Step
from fairwatt.drivers.dlt645.stream import FrameStream
from fairwatt.simulate.meters import Dlt645Bus


async def ask[ReplyT](*, port: int, exchange: Exchange[ReplyT], wait_s: float = 0.05) -> ReplyT:
    """Put one question over a fresh connection, asking again after each silence."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(exchange.request())
            try:
                async with asyncio.timeout(wait_s):
                    while data := await reader.read(4096):
                        reply = exchange.feed(data)
                        if isinstance(reply, Step):
                            writer.write(exchange.request())
                        elif reply is not None:
                            return reply
            except TimeoutError:
                continue
            raise ConnectionError("the bus hung up")
    finally:
        writer.close()


def say[ReplyT](bus: Dlt645Bus, exchange: Exchange[ReplyT]) -> ReplyT:
    """Put one question to a simulated bus without a socket; silence asks again at once."""
    while True:
        for frame in FrameStream().feed(exchange.request()):
            for heard, _ in bus.answer(frame=frame):
                reply = exchange.feed(heard)
                if reply is not None and not isinstance(reply, Step):
                    return reply
