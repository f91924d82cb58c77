"""The visitor's side: a phone or laptop that stands before a gateway. One loop over any stream."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fairwatt.edge.local.answers import Answer
from fairwatt.edge.local.desk import Op
from fairwatt.edge.local.homes import HomeState
from fairwatt.edge.local.streams import Reads, Writes
from fairwatt.wire import cbor
from fairwatt.wire.courier import FromGateway, ToGateway, verify_frame
from fairwatt.wire.errors import BadShape, FrameError
from fairwatt.wire.local import LocalError, VisitorSession, Welcome
from fairwatt.wire.local_frames import MAX_FRAME_BYTES, Framer, frame

ANSWER_S: Final = 90.0
GREETING_S: Final = 10.0
_READ: Final = 4096


class PassUnusable(ValueError):
    """The file of a pass cannot be used; nothing was sent."""


class Silent(ConnectionError):
    """The gateway said nothing for too long, or the link was cut. What it did so far it will not do twice."""


class Pass(NamedTuple):
    """A permit with its holder's key."""

    permit: bytes
    key: Ed25519PrivateKey


class Seen(NamedTuple):
    """What a gateway showed."""

    gateway: str
    clock_us: int
    waiting: int
    homes: tuple[HomeState, ...]


class Loaded(NamedTuple):
    """What became of a bag that was carried in."""

    taken: int
    refused: int
    forgotten: int


def write_pass(path: Path, one: Pass, /) -> None:
    """Keep a pass in a new file that nobody else may read. Raises FileExistsError."""
    text = json.dumps({"permit": one.permit.hex(), "key": one.key.private_bytes_raw().hex()})
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")


def read_pass(path: Path, /) -> Pass:
    """Read what `write_pass` wrote. Raises PassUnusable."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(tree["key"]))
        return Pass(bytes.fromhex(tree["permit"]), key)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PassUnusable(f"{path} is no pass: {error}. Nothing was sent; ask for a new one") from error


class Visitor:
    """A session with one gateway. Use `enter` to begin it."""

    def __init__(self, *, reader: Reads, writer: Writes, session: VisitorSession) -> None:
        self._reader, self._writer, self._session = reader, writer, session
        self._framer = Framer()
        self._framer.max_bytes = MAX_FRAME_BYTES
        self._waiting: list[bytes] = []
        self.welcome: Welcome

    @classmethod
    async def enter(
        cls, *, reader: Reads, writer: Writes, holds: Pass, entropy: Callable[[int], bytes] = os.urandom
    ) -> Self:
        """Begin a session. Raises LocalRefused, LocalError, Silent."""
        session = VisitorSession(permit=holds.permit, key=holds.key, entropy=entropy)
        visitor = cls(reader=reader, writer=writer, session=session)
        try:
            # The zero ends whatever noise or half a frame the line still holds.
            answer = await visitor._say(b"\x00" + frame(session.greeting), within_s=GREETING_S)
            proven = await visitor._say(frame(session.prove(answer)), within_s=GREETING_S)
            visitor.welcome = session.welcome(proven)
        except LocalError:
            raise
        except FrameError as error:
            raise LocalError(f"the gateway's answer cannot be read: {error}") from error
        return visitor

    async def _say(self, data: bytes, *, within_s: float) -> bytes:
        self._writer.write(data)
        try:
            async with asyncio.timeout(within_s):
                await self._writer.drain()
                while not self._waiting:
                    data = await self._reader.read(_READ)
                    if not data:
                        raise Silent("the gateway ended the link; what it did so far it will not do twice")
                    self._waiting += self._framer.feed(data)
        except TimeoutError:
            raise Silent("the gateway does not answer; what it did so far it will not do twice") from None
        return self._waiting.pop(0)

    async def ask(self, op: int, args: list[object], /) -> object:
        """Ask for one thing. Raises LocalRefused, LocalError, Silent."""
        payload = await self._say(frame(self._session.ask(op, args)), within_s=ANSWER_S)
        return self._session.answer(payload)

    async def look(self) -> Seen:
        """What the gateway knows of the homes the permit covers."""
        gateway, clock, waiting, rows = cbor.array(await self.ask(Op.LOOK, []), length=4, what="the answer")
        if type(rows) is not list:
            raise BadShape("the homes are no list")
        states = [HomeState(*cbor.array(row, length=7, what="a home")) for row in rows]  # type: ignore[arg-type]
        return Seen(
            str(gateway),
            cbor.signed(clock, what="clock_us"),
            cbor.integer(waiting, what="waiting"),
            tuple(states),
        )

    async def type_code(self, *, meter: int, text: str) -> Answer:
        """Type a code for a meter."""
        return _answer(await self.ask(Op.CODE, [meter, text]))

    async def restore(self, *, meter: int, hours: int) -> Answer:
        """Restore a meter on the strength of the permit."""
        return _answer(await self.ask(Op.RESTORE, [meter, hours]))

    async def load(self, bag: ToGateway, /) -> Loaded:
        """Carry a bag in: the acknowledgement first, so that the gateway has room, then the orders."""
        taken = refused = forgotten = 0
        messages = [*([(1, bag.ack)] if bag.ack else []), *((0, command) for command in bag.commands)]
        for kind, message in messages:
            said, number = cbor.array(await self.ask(Op.LOAD, [kind, message]), length=2, what="the answer")
            taken, refused = taken + (said == "taken"), refused + (said != "taken")
            forgotten += cbor.integer(number, what="number")
        return Loaded(taken, refused, forgotten)

    async def unload(self) -> FromGateway:
        """Carry records out: everything that nobody has acknowledged. The gateway keeps its copy."""
        frames: list[bytes] = []
        after = 0
        while True:
            signed, last = cbor.array(await self.ask(Op.UNLOAD, [after]), length=2, what="the answer")
            if signed is None:
                return FromGateway(self.welcome.gateway, tuple(frames))
            frames.append(cbor.octets(signed, what="the frame"))
            after = _newest(frames[-1], self._session.permit.gateways, self.welcome.gateway)
            if after >= cbor.integer(last, what="last_seq"):
                return FromGateway(self.welcome.gateway, tuple(frames))


def _newest(signed: bytes, gateways: tuple[tuple[str, bytes], ...], gateway: str) -> int:
    key = Ed25519PublicKey.from_public_bytes(dict(gateways)[gateway])
    return verify_frame(message=signed, gateway=gateway, key=key).frame.items[-1].seq


def _answer(value: object) -> Answer:
    outcome, until, wait, hours, amount = cbor.array(value, length=5, what="the answer")
    return Answer(
        cbor.text(outcome, what="outcome", max_chars=40),
        cbor.signed(until, what="until_us"),
        cbor.integer(wait, what="wait_s"),
        cbor.integer(hours, what="hours"),
        cbor.text(amount, what="amount", max_chars=40),
    )
