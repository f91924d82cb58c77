"""Frames that a courier brought stand in the log as if their gateway had sent them."""

import asyncio
from pathlib import Path

import nats
from nats.js.api import SubjectTransform

from edge.broker import Broker
from fairwatt.headend.backbone import STREAM
from fairwatt.server.couriering import publish
from fairwatt.wire import topics


def test_brought_frames_stand_in_the_log_in_their_order_under_their_gateway(tmp_path: Path) -> None:
    async def test() -> None:
        with Broker(tmp_path) as broker:
            url = f"nats://backend:back@127.0.0.1:{broker.nats_port}"
            client = await nats.connect(url)
            log = client.jetstream()
            transform = SubjectTransform(src=topics.STREAM_SUBJECTS, dest=topics.STREAM_TRANSFORM)
            await log.add_stream(name=STREAM, subjects=[topics.STREAM_SUBJECTS], subject_transform=transform)
            subject = topics.up_subject(book="b1", site="s1", gateway="gw1")
            await publish(url=url, subject=subject, frames=[b"one", b"two"])
            kept = [await log.get_msg(STREAM, seq) for seq in (1, 2)]
            assert [one.data for one in kept] == [b"one", b"two"]
            assert topics.parse_subject(kept[0].subject or "") == topics.Address("b1", "s1", "gw1")
            await client.close()

    asyncio.run(test())
