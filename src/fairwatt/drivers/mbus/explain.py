"""Explain a recording of an M-Bus line: telegrams, headers, and every record with its exact value."""

from __future__ import annotations

from typing import Final

from fairwatt.drivers.contract import DriverError
from fairwatt.drivers.explaining import Told, field, take_apart

from .frame import (
    ACK,
    FCB,
    REQ_UD2,
    RSP_MASK,
    RSP_UD,
    SELECT,
    SND_NKE,
    SND_UD,
    START_LONG,
    START_SHORT,
    Telegram,
)
from .frame import telegram_at as whole_telegram_at
from .header import MEDIA, read_header
from .records import Record, read_records

_SHORT: Final = {SND_NKE: "question: start over", REQ_UD2: "question: read data"}


def explain(*, data: bytes) -> list[Told]:
    """Return one record a piece of the recording, fit for JSON and for a table."""
    return take_apart(data=data, frame_at=_frame_at, starts=bytes([START_LONG, START_SHORT]))


def _frame_at(data: bytes, at: int) -> tuple[int, Told] | None:
    found = whole_telegram_at(data, at) if data[at] in (START_LONG, START_SHORT, ACK) else None
    if found is None:
        return None
    telegram, end = found
    if telegram.is_ack:
        return end, {"title": "acknowledgement", "address": "", "fields": []}
    head = {"address": str(telegram.address), "control": f"{telegram.control:02X}"}
    return end, {**head, **_told(telegram)}


def _told(telegram: Telegram) -> Told:
    control = telegram.control
    if telegram.ci is None:
        count = [field("frame count bit", control >> 5 & 1)] if control & ~FCB == REQ_UD2 else []
        name = _SHORT.get(control if control == SND_NKE else control & ~FCB)
        return {"title": name or f"question {control:02X}H", "fields": count}
    if telegram.ci == SELECT and control & ~FCB == SND_UD & ~FCB:
        asked = telegram.data
        fields = [field("number", asked[3::-1].hex().upper(), raw=asked[:4], note="F stands for any digit")]
        return {
            "title": "question: select",
            "fields": [*fields, field("maker to medium", asked[4:].hex().upper())],
        }
    if control & RSP_MASK != RSP_UD:
        return {
            "title": f"telegram with CI {telegram.ci:02X}H",
            "fields": [field("data", telegram.data.hex().upper())],
        }
    return _data(telegram)


def _data(telegram: Telegram) -> Told:
    told: Told = {"title": "answer: data", "fields": []}
    try:
        header, data = read_header(telegram)
        if header.identity:
            medium = header.identity[7]
            told["fields"] += [
                field("number", header.number, raw=header.identity[:4]),
                field("maker", header.maker, raw=header.identity[4:6]),
                field("version", header.identity[6]),
                field("medium", MEDIA.get(medium, f"{medium:02X}H")),
            ]
        if header.access is not None:
            told["fields"] += [
                field("access number", header.access),
                field("status", f"{header.status:02X}H"),
            ]
        records = read_records(data)
    except DriverError as error:
        return told | {"why": str(error)}
    told["fields"] += [_record(record) for record in records.records]
    if records.manufacturer:
        told["fields"].append(
            field("maker's own", records.manufacturer.hex().upper(), raw=records.manufacturer)
        )
    if records.more:
        told["fields"].append(field("more", True, note="another telegram follows"))
    return told


def _record(record: Record) -> Told:
    places = {"storage": record.storage, "tariff": record.tariff, "device": record.device}
    note = ", ".join(f"{name} {number}" for name, number in places.items() if number)
    name = (
        f"{record.function} {record.unit.quantity}"
        if record.function != "instantaneous"
        else record.unit.quantity
    )
    if record.unit.is_time:
        return field(name, time_text(record.data), raw=record.data, note=note)
    if not record.is_number:
        return field(name, record.text() or None, raw=record.data, note=note)
    try:
        return field(name, record.number(), unit=record.unit.unit, raw=record.data, note=note)
    except DriverError as error:
        return field(name, None, unit=record.unit.unit, raw=record.data, note=str(error))


def time_text(data: bytes) -> str:
    """A date (type G) or a date and time (type F) as text, in the meter's own zone."""
    if len(data) not in (2, 4):
        return data.hex().upper()
    low, high = data[-2], data[-1]
    year = (low >> 5) | (high >> 4) << 3
    date = f"{2000 + year if year < 81 else 1900 + year}-{high & 15:02d}-{low & 31:02d}"
    return date if len(data) == 2 else f"{date} {data[1] & 31:02d}:{data[0] & 63:02d}"
