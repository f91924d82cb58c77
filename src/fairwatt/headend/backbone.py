"""The durable log that gateways speak into: one stream, one durable consumer per book.

Messages are taken by a standing pull request, so that a lone reading is posted at once and a flood is
posted in big batches.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    StorageType,
    StreamConfig,
    SubjectTransform,
)
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from fairwatt.wire import topics
from fairwatt.wire.errors import BadTopic

log = structlog.get_logger()

STREAM: Final = "UP"
MAX_BYTES: Final = 1 << 30
PULL_MESSAGES: Final = 2000
PULL_EXPIRES_S: Final = 5
ACK_WAIT_S: Final = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame from the log: which gateway spoke, its bytes, and where to acknowledge it."""

    gateway: str
    data: bytes
    reply: str


async def connect(*, url: str) -> Client:
    """Connect to the backbone and stay connected for ever; what was not acknowledged comes again."""
    return await nats.connect(
        url,
        name="fairwatt-headend",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
        connect_timeout=2,
        allow_reconnect=True,
        pending_size=64 * 1024 * 1024,
        error_cb=_note_error,
    )


async def _note_error(error: Exception) -> None:
    log.warning("backbone.error", error=str(error))


async def ensure_stream(
    *, js: JetStreamContext, name: str, subjects: str, stored_as: str, max_bytes: int, max_age_s: int
) -> None:
    """Make a stream that keeps what is published to ``subjects`` under ``stored_as``, or find it."""
    wanted = StreamConfig(
        name=name,
        subjects=[subjects],
        subject_transform=SubjectTransform(src=subjects, dest=stored_as),
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_bytes=max_bytes,
        max_age=max_age_s,
    )
    try:
        await js.stream_info(name)
    except NotFoundError:
        try:
            await js.add_stream(wanted)
        except APIError as error:
            # Another process made it in the same moment.
            log.info("backbone.stream_exists", error=str(error))


async def ensure_log(*, client: Client, book: str) -> str:
    """Make the stream and the book's consumer, or find them; return the consumer's name."""
    js = client.jetstream(timeout=5)
    await ensure_stream(
        js=js,
        name=STREAM,
        subjects=topics.STREAM_SUBJECTS,
        stored_as=topics.STREAM_TRANSFORM,
        max_bytes=MAX_BYTES,
        max_age_s=7 * 86_400,
    )
    name = f"poster-{book}"
    await js.add_consumer(
        STREAM,
        ConsumerConfig(
            durable_name=name,
            ack_policy=AckPolicy.ALL,
            ack_wait=ACK_WAIT_S,
            filter_subject=topics.book_filter(book=book),
            max_ack_pending=20_000,
        ),
    )
    return name


class Intake:
    """Frames as they come, kept until somebody takes them; at most a few pulls ahead."""

    def __init__(self, *, client: Client, consumer: str, wake: Callable[[], None]) -> None:
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}"
        self._wake = wake
        self._frames: deque[Frame] = deque()
        self._size = 0
        self._outstanding = 0
        self._inbox = ""
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to pull."""
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(self._inbox, cb=self._receive)
        self._keeper = asyncio.create_task(self._keep_asking())

    async def stop(self) -> None:
        """Stop pulling; frames not taken stay in the log."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def size(self) -> int:
        """Bytes of all frames that are here."""
        return self._size

    async def take(self, *, most: int, most_bytes: int) -> list[Frame]:
        """Take frames that are here now, up to `most` and little more than `most_bytes`; does not wait."""
        taken: list[Frame] = []
        size = 0
        while self._frames and len(taken) < most and size < most_bytes:
            taken.append(self._frames.popleft())
            size += len(taken[-1].data)
        self._size -= size
        if len(self._frames) < PULL_MESSAGES and self._outstanding <= 0:
            await self._ask()
        return taken

    async def done(self, frame: Frame) -> None:
        """Acknowledge a frame and all before it to the log. Only after the commit that stored them."""
        await self._client.publish(frame.reply, b"+ACK")

    def put_back(self, frames: Sequence[Frame]) -> None:
        """Take frames that were not posted back to the front, in their order."""
        self._frames.extendleft(reversed(frames))
        self._size += sum(len(frame.data) for frame in frames)

    def forget(self) -> None:
        """Drop what was pulled and not posted; the log gives it again."""
        self._frames.clear()
        self._size = 0

    async def _ask(self) -> None:
        self._outstanding = PULL_MESSAGES
        request = {"batch": PULL_MESSAGES, "expires": PULL_EXPIRES_S * 1_000_000_000}
        await self._client.publish(self._subject, json.dumps(request).encode(), reply=self._inbox)

    async def _keep_asking(self) -> None:
        while True:
            try:
                await self._ask()
            except Exception as error:  # a broken link: the client reconnects by itself, we ask again
                log.warning("backbone.pull_failed", error=str(error))
            await asyncio.sleep(PULL_EXPIRES_S)

    async def _receive(self, message: Msg) -> None:
        headers: dict[str, Any] = message.headers or {}
        if headers.get("Status"):
            self._outstanding = 0
            return
        self._outstanding -= 1
        try:
            gateway = topics.parse_subject(message.subject).gateway
        except BadTopic:
            log.warning("backbone.foreign_subject", subject=message.subject)
            return
        self._frames.append(Frame(gateway, message.data, message.reply))
        self._size += len(message.data)
        self._wake()
