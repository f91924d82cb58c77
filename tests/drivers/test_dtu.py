"""A DTU's own packets are taken out of the line, whole or torn, and the meters' bytes come through untouched."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwatt.drivers.contract import RegisterReading
from fairwatt.drivers.dlt645 import read_energy
from fairwatt.drivers.dlt645.frame import build_frame
from fairwatt.drivers.dlt645.stream import FrameStream
from fairwatt.drivers.dtu import DtuDialect, DtuStream, Heard, UnknownDtu, dtu_pattern
from fairwatt.simulate.meters import Dlt645Bus, SimDtu, SimMeter

NUMBER = "202611210001"
REGISTERS = dtu_pattern(r"ascii:REG{id:11}\r\n")
BEATS = dtu_pattern("hex:7B 09 {any:2} 7D")
DIALECT = DtuDialect(
    registration=REGISTERS, heartbeats=(BEATS,), registration_reply=b"OK", heartbeat_reply=b"\x01"
)
HELLO = b"REG13800138000\r\n"
BEAT = b"\x7b\x09\x12\x34\x7d"


def answer(data: bytes) -> bytes:
    return build_frame(address=bytes(6), control=0x91, data=data, preamble=4)


FRAMES = st.binary(min_size=4, max_size=30).map(answer)
CUTS = st.lists(st.integers(1, 40), max_size=40)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    parts, rest = [], data
    for cut in cuts:
        parts.append(rest[:cut])
        rest = rest[cut:]
    return [part for part in (*parts, rest) if part]


@given(frames=st.lists(FRAMES, max_size=5), beats=st.lists(st.booleans(), min_size=5, max_size=5), cuts=CUTS)
def test_however_it_is_torn_the_frames_come_through_and_the_unit_is_known(
    frames: list[bytes], beats: list[bool], cuts: list[int]
) -> None:
    said = HELLO + b"".join(frame + BEAT * beat for frame, beat in zip(frames, beats, strict=False))
    stream, line = DtuStream(dialect=DIALECT), FrameStream()
    heard = []
    for piece in pieces(said, cuts):
        heard += line.feed(stream.feed(piece).payload)
    heard += line.feed(stream.release())
    assert stream.name == "13800138000"
    assert len(heard) == len(frames)


def test_packets_that_come_whole_leave_nothing_of_themselves_and_are_answered() -> None:
    stream = DtuStream(dialect=DIALECT)
    frame = answer(b"1234")
    assert stream.feed(HELLO[:5]) == Heard()
    assert stream.feed(HELLO[5:] + frame) == Heard(frame, b"OK")
    assert stream.feed(BEAT + frame + BEAT) == Heard(frame, b"\x01\x01")
    assert stream.feed(BEAT[:2]) == Heard()
    assert stream.feed(BEAT[2:]) == Heard(b"", b"\x01")
    assert stream.feed(HELLO) == Heard(b"", b"OK")
    assert stream.heartbeats == 3


def test_what_only_began_like_a_heartbeat_is_given_out_again() -> None:
    stream = DtuStream(dialect=DIALECT)
    stream.feed(HELLO)
    assert stream.feed(b"\x7b") == Heard()
    assert stream.release() == b"\x7b"
    assert stream.feed(b"\x7b\x09") == Heard()
    assert stream.feed(b"\x00\x00\x00") == Heard(b"\x7b\x09\x00\x00\x00")


def test_a_short_heartbeat_is_only_what_came_alone() -> None:
    stream = DtuStream(dialect=DtuDialect(heartbeats=(dtu_pattern("hex:00"),)))
    assert stream.name == ""
    assert stream.feed(b"\x00") == Heard()
    assert stream.feed(b"\x00\x00") == Heard()
    assert stream.feed(b"\x68\x00\x16") == Heard(b"\x68\x00\x16")


def test_a_stranger_is_refused_by_name_and_nothing_of_it_is_believed() -> None:
    stream = DtuStream(dialect=DIALECT)
    with pytest.raises(UnknownDtu, match="no meter is read"):
        stream.feed(b"GET / HTTP/1.1")


@pytest.mark.parametrize(
    "text", ["REG", "ascii:", "hex:7", "ascii:{id:3}{id:4}", "ascii:{who:3}", "hex:{any:999}"]
)
def test_a_packet_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        dtu_pattern(text)


def test_a_heartbeat_that_could_be_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="could be anything"):
        DtuDialect(heartbeats=(dtu_pattern("hex:{any:4}"),))


def test_a_simulated_dtu_dials_in_beats_and_carries_its_meters() -> None:
    """A gateway in twelve lines: it listens, hears who calls, and reads a meter between heartbeats."""
    bus = Dlt645Bus(meters=[SimMeter(number=NUMBER, register_wh=42_000)], now=lambda: 1_785_542_400_000_000)

    async def story() -> tuple[str | None, RegisterReading | None, int]:
        found: asyncio.Future[tuple[str | None, RegisterReading | None, int]] = asyncio.Future()

        async def called(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            stream, exchange = DtuStream(dialect=DIALECT), read_energy(address=NUMBER)
            while data := await reader.read(100):
                heard = stream.feed(data)
                writer.write(heard.reply)
                if stream.name is not None and heard.reply == b"OK":
                    dtu.beat()
                    writer.write(exchange.request())
                reading = exchange.feed(heard.payload)
                if isinstance(reading, RegisterReading) and not found.done():
                    found.set_result((stream.name, reading, stream.heartbeats))
            writer.close()

        server = await asyncio.start_server(called, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        dtu = SimDtu(bus=bus, host="127.0.0.1", port=port, registration=HELLO, heartbeat=BEAT)
        async with server, dtu, asyncio.timeout(5):
            return await found

    assert asyncio.run(story()) == ("13800138000", RegisterReading(42_000), 1)


def test_a_flood_is_taken_apart_in_the_time_that_its_bytes_take() -> None:
    stream = DtuStream(dialect=DtuDialect(heartbeats=(dtu_pattern("hex:FE 01"), dtu_pattern("ascii:PING"))))
    flood = b"\xfe\x01" * 131_072 + b"\xaa"
    began_s = time.process_time()
    assert stream.feed(flood).payload == flood
    assert time.process_time() - began_s < 2, "a quarter of a megabyte held the gateway up for ten seconds"
    assert stream.feed(b"\xfe\x01" * 3).payload == b""
