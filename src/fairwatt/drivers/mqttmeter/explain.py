"""Explain a message of a meter that speaks MQTT itself: JSON as text, CBOR as hexadecimal."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.explaining import Told, field

from . import message as wire

_UNITS: Final = {"power": "W", "clock": "s since 1970 UTC", "until": "s since 1970 UTC", "awake": "s"}


def explain(*, data: bytes) -> list[Told]:
    """Return the one message as a record with its fields; with `why` where it is none."""
    message = data.strip()
    if not wire.is_json(message):
        try:
            message = bytes.fromhex(message.decode())
        except ValueError:
            message = data
    try:
        fields = wire.read(message)
    except DriverError as error:
        return [{"at": 0, "kind": "damaged", "hex": message[:200].hex().upper(), "why": str(error)}]
    kind = "order" if "until" in fields else "message"
    told = [field(name, value, unit=_UNITS.get(name, "")) for name, value in fields.items()]
    form = "JSON" if wire.is_json(message) else "CBOR"
    piece = {"at": 0, "kind": "frame", "hex": message.hex().upper(), "address": fields["meter"]}
    return [piece | {"title": f"{kind} in {form}", "fields": told}]
