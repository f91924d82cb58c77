"""The commands on this machine: `fairwatt edge code` speaks to a running agent over a Unix socket of mode 0600.

Who may open that socket is the user the agent runs as, which is proof enough to look and to type a code; a restore
still needs a code or a permit.
"""

from typing import Final

from fairwatt.wire import cbor
from fairwatt.wire.errors import BadShape
from fairwatt.wire.local import Request
from fairwatt.wire.local_frames import HANDSHAKE_BYTES
from fairwatt.wire.permits import RESIDENT, Permit

OWNER: Final = Permit(bytes(16), "owner", b"", "", "", (), (), RESIDENT, 0, 0, 0)
"""Without a key: any number of commands at once are the same owner's."""


class OwnerSession:
    """As wire.local's GatewaySession, without keys: the socket's mode is the key."""

    def __init__(self) -> None:
        self.permit: Permit | None = OWNER

    def take(self, payload: bytes, /) -> tuple[bytes | None, Request | None]:
        """Take one request: ``[n, op, args]``."""
        value = cbor.decode(payload, max_bytes=HANDSHAKE_BYTES, what="the request")
        number, op, args = cbor.array(value, length=3, what="the request")
        if type(args) is not list:
            raise BadShape("the request has no arguments")
        return None, Request(cbor.integer(number, what="number"), cbor.integer(op, what="op"), args)

    def result(self, request: Request, value: object) -> bytes:
        """``[n, null, result]``"""
        return cbor.encode([request.number, None, value])

    def refusal(self, request: Request, code: str, text: str) -> bytes:
        """``[n, code, text]``"""
        return cbor.encode([request.number, code, text])
