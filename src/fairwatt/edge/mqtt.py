"""A session at the door of the backbone, as a gateway opens it."""

import aiomqtt

from fairwatt.edge.config import BrokerConfig


def session(*, broker: BrokerConfig, gateway: str, boot_id: bytes, purpose: str = "") -> aiomqtt.Client:
    """A client that logs in as this gateway. ``purpose`` tells its sessions apart: one client id is one session."""
    return aiomqtt.Client(
        broker.host,
        broker.port,
        username=gateway,
        password=broker.password,
        # Another login of the same broker could take over a client id that it can guess.
        identifier=f"{gateway}-{purpose}{boot_id.hex()}",
        protocol=aiomqtt.ProtocolVersion.V311,
        clean_session=True,
        keepalive=broker.keepalive_s,
        timeout=broker.answer_within_s,
    )
