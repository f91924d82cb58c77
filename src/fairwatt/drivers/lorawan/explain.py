"""Explain what ChirpStack published: an uplink, or a downlink that waits for a device."""

from __future__ import annotations

from fairwatt.drivers.contract import DriverError, Heard
from fairwatt.drivers.explaining import Told, field
from fairwatt.drivers.profile import load_profile

from .chirpstack import Uplink, read_downlink, read_uplink
from .meter import OPEN_VALVE, ORDER_FORM, BytesMeter
from .payload import crc8

OUR_FORM = "lorawan_water"


def explain(*, data: bytes) -> list[Told]:
    """Return the one message as a record with its fields; with `why` where it is none."""
    text = data.decode("utf-8", "replace")
    piece: Told = {"at": 0, "kind": "frame", "hex": "", "address": ""}
    try:
        if '"deviceInfo"' in text:
            uplink = read_uplink(data)
            return [piece | {"title": "uplink", "address": uplink.dev_eui, "fields": _uplink(uplink, data)}]
        eui, port, payload = read_downlink(data)
    except DriverError as error:
        return [{"at": 0, "kind": "damaged", "hex": data[:200].hex().upper(), "why": str(error)}]
    fields = [field("port", port), field("payload", payload.hex().upper()), *_order(payload)]
    return [piece | {"title": "downlink", "address": eui, "fields": fields}]


def _uplink(uplink: Uplink, message: bytes) -> list[Told]:
    hears = "hears at any time" if uplink.listens else "hears only behind an uplink"
    fields = [
        field("key", uplink.key),
        field("device class", uplink.device_class, note=hears),
        field("frame count", uplink.f_cnt),
        field("at_us", uplink.at_us, unit="us since 1970 UTC"),
        field("port", uplink.f_port),
        field("payload", uplink.data.hex().upper()),
    ]
    shown = [
        field(f"object.{name}", value, note="by the network server's codec") for name, value in _flat(uplink)
    ]
    try:
        heard = BytesMeter(profile=load_profile(key=OUR_FORM), address=uplink.dev_eui).hear(message)
    except DriverError:
        return fields + shown
    return fields + shown + (_ours(heard) if heard.reading is not None else [])


def _flat(uplink: Uplink) -> list[tuple[str, object]]:
    shown = uplink.object or {}
    return [(name, value) for name, value in shown.items() if not isinstance(value, dict | list)]


def _ours(heard: Heard) -> list[Told]:
    note = "if it is of our own form"
    assert heard.reading is not None
    valve = None if heard.relay is None else "open" if heard.relay.closed else "shut"
    return [
        field("register", heard.reading.total_wh, unit="l", note=note),
        field("valve", valve, note=note),
        field("conditions", sorted(heard.conditions), note=note),
        field("last order", heard.order, note=note),
    ]


def _order(payload: bytes) -> list[Told]:
    if len(payload) != 9 or payload[0] != ORDER_FORM or crc8(payload[:-1]) != payload[-1]:
        return []
    return [
        field("order", "open the valve" if payload[1] == OPEN_VALVE else "shut the valve"),
        field("order number", int.from_bytes(payload[2:4], "little")),
        field("valid until", int.from_bytes(payload[4:8], "little"), unit="s since 1970 UTC"),
    ]
