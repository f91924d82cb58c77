"""The messages of docs/protocol/mqtt-meter.md: one set of fields, written in CBOR or in JSON.

CBOR: a map with small whole numbers as keys, and behind it the CRC-32 of its bytes, highest byte first.
JSON: an object with names, whose last field is `check`, the CRC-32 (eight hexadecimal digits) of every byte
before the comma in front of it. A device uses one of the two; it is answered in the same.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, Final

import cbor2

from fairwatt.drivers.errors import BadRequest, NotAMessage
from fairwatt.drivers.jsontext import read_object

PROTOCOL: Final = "MQTT meter"
VERSION: Final = 1
MESSAGE_MAX: Final = 4096

NAMES: Final = {
    0: "v",
    1: "meter",
    2: "seq",
    3: "clock",
    4: "register",
    5: "relay",
    6: "ordered",
    7: "power",
    8: "conditions",
    9: "order",
    10: "awake",
    11: "until",
}
"""Key in CBOR: name in JSON."""
_KEYS: Final = {name: key for key, name in NAMES.items()}
_CHECK: Final = re.compile(rb',"check":"([0-9a-f]{8})"\}')
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def write(fields: dict[str, Any], *, as_json: bool) -> bytes:
    """Write a message in one of its two forms."""
    if as_json:
        body = json.dumps(fields, separators=(",", ":")).encode()[:-1]
        return body + b',"check":"%08x"}' % zlib.crc32(body)
    body = cbor2.dumps({_KEYS[name]: value for name, value in fields.items()}, canonical=True)
    return body + zlib.crc32(body).to_bytes(4)


def read(message: bytes) -> dict[str, Any]:
    """Read a message of either form into fields by name. Raises `NotAMessage`."""
    if not message or len(message) > MESSAGE_MAX:
        raise wrong(f"it has {len(message)} bytes; 1 to {MESSAGE_MAX} are taken")
    fields = _read_json(message) if message[:1] == b"{" else _read_cbor(message)
    if fields.get("v") != VERSION:
        raise wrong(f"it is of version {fields.get('v')!r}, and {VERSION} is spoken here")
    meter = fields.get("meter")
    if not isinstance(meter, str) or not _ID.fullmatch(meter):
        raise wrong("its meter is missing or no id")
    return fields


def is_json(message: bytes) -> bool:
    """Say which form a message has: its sender is answered in the same."""
    return message[:1] == b"{"


def check_id(text: str) -> str:
    """Return an id fit for a topic. Raises `BadRequest`."""
    if not _ID.fullmatch(text):
        raise BadRequest(f"{text!r} is no id: it has 1 to 64 of A-Z a-z 0-9 _ and -. Nothing was sent.")
    return text


def up_topic(*, meter: str) -> str:
    """The topic a meter speaks on."""
    return f"fm/v1/{check_id(meter)}/up"


def down_topic(*, meter: str) -> str:
    """The topic a meter listens on while it is awake."""
    return f"fm/v1/{check_id(meter)}/down"


def wrong(why: str) -> NotAMessage:
    """What is raised for a message that is none."""
    return NotAMessage(protocol=PROTOCOL, why=why)


def _read_json(message: bytes) -> dict[str, Any]:
    end = _CHECK.fullmatch(message[-20:])
    if end is None or int(end[1], 16) != zlib.crc32(message[:-20]):
        raise wrong("its check is missing or wrong")
    fields = read_object(message, protocol=PROTOCOL)
    fields.pop("check", None)
    if not fields.keys() <= _KEYS.keys():
        raise wrong(f"nobody knows its {', '.join(sorted(fields.keys() - _KEYS.keys()))}")
    return fields


def _read_cbor(message: bytes) -> dict[str, Any]:
    body, check = message[:-4], message[-4:]
    if zlib.crc32(body).to_bytes(4) != check:
        raise wrong("its check is missing or wrong")
    try:
        tree = cbor2.loads(body)
        again = cbor2.dumps(tree, canonical=True)
    # A hostile value makes the codec fail in more ways than it names; all of them mean the same.
    except Exception as error:
        raise wrong(f"it is not CBOR ({error})") from None
    if type(tree) is not dict or again != body:
        raise wrong("it is no map in the deterministic form of CBOR")
    if not all(type(key) is int and key in NAMES for key in tree):
        raise wrong("nobody knows some of its keys")
    return {NAMES[key]: value for key, value in tree.items()}
