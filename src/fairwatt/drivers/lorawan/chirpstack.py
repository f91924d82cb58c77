"""What ChirpStack v4 says and hears over MQTT, as JSON.

Uplinks: `application/{app}/device/{devEui}/event/up`. Downlinks: `application/{app}/device/{devEui}/command/down`.
An uplink's `deduplicationId` is its natural key: the network hears a device by several gateways and says it once,
and the broker may say that again.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fairwatt.drivers.errors import BadRequest, NotAMessage
from fairwatt.drivers.jsontext import read_object

PROTOCOL: Final = "ChirpStack"
ALWAYS_LISTENING: Final = frozenset({"CLASS_B", "CLASS_C"})
_EUI: Final = re.compile(r"[0-9a-f]{16}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ID_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Uplink:
    """One uplink event. ``object`` is what the network server's own codec made of ``data``, or None."""

    key: str
    dev_eui: str
    device_class: str
    at_us: int
    f_cnt: int
    f_port: int | None
    data: bytes
    object: dict[str, Any] | None

    @property
    def listens(self) -> bool:
        """Whether a downlink reaches the device without waiting for its next uplink."""
        return self.device_class in ALWAYS_LISTENING


def read_uplink(message: bytes) -> Uplink:
    """Read an `up` event. Raises `NotAMessage`."""
    tree = read_object(message, protocol=PROTOCOL)
    device = tree.get("deviceInfo")
    if not isinstance(device, dict):
        raise _wrong("deviceInfo")
    key, shown = tree.get("deduplicationId"), tree.get("object")
    if not isinstance(key, str) or not 0 < len(key) <= _ID_MAX:
        raise _wrong("deduplicationId")
    if shown is not None and not isinstance(shown, dict):
        raise _wrong("object")
    return Uplink(
        key=key,
        dev_eui=read_eui(device.get("devEui")),
        device_class=str(device.get("deviceClassEnabled", "")),
        at_us=_instant(tree.get("time")),
        f_cnt=_count(tree, "fCnt", 0xFFFFFFFF),
        f_port=_count(tree, "fPort", 255) if "fPort" in tree else None,
        data=_bytes(tree.get("data", "")),
        object=shown,
    )


def write_downlink(
    *, dev_eui: str, f_port: int, data: bytes, order_id: str, expires_us: int, confirmed: bool = False
) -> bytes:
    """Write a `command/down`: ChirpStack queues it, and forgets it when ``expires_us`` has come.

    For a class A device it waits there for the next uplink; classes B and C get it at once.
    """
    if not 1 <= f_port <= 223 or not data or len(data) > 222:
        raise BadRequest(
            f"A downlink has a port of 1 to 223 and 1 to 222 bytes; got {f_port} and {len(data)}."
        )
    expires = (_EPOCH + timedelta(microseconds=expires_us)).isoformat(timespec="seconds")
    return json.dumps(
        {
            "id": order_id,
            "devEui": dev_eui,
            "confirmed": confirmed,
            "fPort": f_port,
            "data": base64.b64encode(data).decode(),
            "expiresAt": expires,
        }
    ).encode()


def read_downlink(message: bytes) -> tuple[str, int, bytes]:
    """Read a `command/down` as a device behind the network would get it: EUI, port, payload."""
    tree = read_object(message, protocol=PROTOCOL)
    return read_eui(tree.get("devEui")), _count(tree, "fPort", 223), _bytes(tree.get("data"))


def uplink_topic(*, application: str) -> str:
    """The topic to subscribe to for every uplink of one application."""
    return f"application/{application}/device/+/event/up"


def downlink_topic(*, application: str, dev_eui: str) -> str:
    """The topic a downlink of one device goes to."""
    return f"application/{application}/device/{dev_eui}/command/down"


def read_eui(value: object) -> str:
    """Read a device's EUI in any case. Raises `NotAMessage`."""
    if not isinstance(value, str) or not _EUI.fullmatch(value.lower()):
        raise _wrong("devEui")
    return value.lower()


def _instant(value: object) -> int:
    # Nanoseconds are cut to microseconds by the parser.
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is None or at.tzinfo is None:
            raise ValueError(value)
        return (at - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise _wrong("time") from error


def _count(tree: dict[str, Any], name: str, most: int) -> int:
    # ChirpStack leaves out a number that is zero in some of its versions.
    value = tree.get(name, 0)
    if type(value) is not int or not 0 <= value <= most:
        raise _wrong(name)
    return value


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError) as error:
        raise _wrong("data") from error


def _wrong(name: str) -> NotAMessage:
    return NotAMessage(protocol=PROTOCOL, why=f"its {name} is missing or not of its form")
