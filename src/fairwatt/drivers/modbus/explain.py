"""Explain a recording of a Modbus line: RTU and TCP frames, questions and answers, without a profile."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from fairwatt.drivers.exact import FLOAT32, binary_fraction
from fairwatt.drivers.explaining import Told, field, take_apart

from .frame import TCP_HEADER, crc16
from .pdu import (
    EXCEPTION,
    READS_BITS,
    READS_REGISTERS,
    WRITE_COIL,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    refusal,
)

_NAMES: Final = {
    1: "coils",
    2: "inputs",
    3: "holding registers",
    4: "input registers",
    5: "a coil",
    6: "a register",
    16: "registers",
}


def explain(*, data: bytes) -> list[Told]:
    """Return one record a piece of the recording, fit for JSON and for a table."""
    return take_apart(data=data, frame_at=_frame_at)


def _frame_at(data: bytes, at: int) -> tuple[int, Told] | None:
    length = int.from_bytes(data[at + 4 : at + 6])
    if data[at + 2 : at + 4] == b"\0\0" and 3 <= length <= 254 and len(data) - at >= 6 + length:
        pdu = data[at + TCP_HEADER : at + 6 + length]
        if (told := _pdu(pdu)) is not None:
            head = {
                "address": str(data[at + 6]),
                "framing": "tcp",
                "transaction": int.from_bytes(data[at : at + 2]),
            }
            return at + 6 + length, {**head, **told}
    for size in _sizes(data, at + 1):
        end = at + size + 3
        if end <= len(data) and crc16(data[at : end - 2]) == data[end - 2 : end]:
            told = _pdu(data[at + 1 : end - 2])
            if told is not None:
                return end, {"address": str(data[at]), "framing": "rtu", **told}
    return None


def _sizes(data: bytes, at: int) -> list[int]:
    """How long a question or an answer that begins here can be, from its function on."""
    if at + 1 >= len(data):
        return []
    function = data[at]
    if function & EXCEPTION:
        return [2]
    sizes = [5] if function in _NAMES else []
    if function in READS_BITS | READS_REGISTERS:
        sizes.append(2 + data[at + 1])
    if function == WRITE_REGISTERS and at + 5 < len(data):
        sizes.append(6 + data[at + 5])
    return sizes


def _pdu(pdu: bytes) -> Told | None:
    if len(pdu) == 2 and pdu[0] & EXCEPTION and pdu[0] ^ EXCEPTION in _NAMES:
        return {
            "title": f"refusal to handle {_NAMES[pdu[0] ^ EXCEPTION]}",
            "fields": [field("reason", refusal(pdu[1]), raw=pdu[1:])],
        }
    function = pdu[0] if pdu else 0
    if function not in _NAMES:
        return None
    if function in READS_BITS | READS_REGISTERS:
        return _read(function, pdu)
    return _write(function, pdu)


def _read(function: int, pdu: bytes) -> Told | None:
    if len(pdu) >= 2 and pdu[1] == len(pdu) - 2 and (function in READS_BITS or (pdu[1] % 2 == 0 and pdu[1])):
        fields = _bits(pdu[2:]) if function in READS_BITS else _registers(pdu[2:])
        return {"title": f"answer: {_NAMES[function]}", "fields": fields}
    if len(pdu) != 5:
        return None
    fields = [
        field("from", int.from_bytes(pdu[1:3]), raw=pdu[1:3]),
        field("count", int.from_bytes(pdu[3:5]), raw=pdu[3:5]),
    ]
    return {"title": f"question: read {_NAMES[function]}", "fields": fields}


def _write(function: int, pdu: bytes) -> Told | None:
    place = field("address", int.from_bytes(pdu[1:3]), raw=pdu[1:3])
    value: Any = int.from_bytes(pdu[3:5])
    if function in (WRITE_COIL, WRITE_REGISTER) and len(pdu) == 5:
        note = {0xFF00: "on", 0: "off"}.get(value, "") if function == WRITE_COIL else ""
        fields = [place, field("value", value, raw=pdu[3:5], note=note)]
        return {"title": f"write {_NAMES[function]}, or its acknowledgement", "fields": fields}
    if function == WRITE_REGISTERS and len(pdu) == 5:
        return {"title": "acknowledgement: registers written", "fields": [place, field("count", value)]}
    if function == WRITE_REGISTERS and len(pdu) == 6 + pdu[5] and pdu[5] == 2 * value:
        return {"title": "question: write registers", "fields": [place, *_registers(pdu[6:])]}
    return None


def _registers(data: bytes) -> list[Told]:
    words = [data[at : at + 2] for at in range(0, len(data), 2)]
    fields = [field(f"register +{place}", int.from_bytes(word), raw=word) for place, word in enumerate(words)]
    if len(words) == 2:
        bits = int.from_bytes(data)
        number = binary_fraction(bits, FLOAT32)
        fields.append(field("as uint32", bits, raw=data, note="high word first"))
        shown: Fraction | str = "no number" if number is None else number
        fields.append(field("as float32", shown, raw=data, note="high word first, exact"))
    return fields


def _bits(data: bytes) -> list[Told]:
    return [field(f"bit +{place}", data[place // 8] >> place % 8 & 1) for place in range(8 * len(data))]
