"""Modbus frames: RTU on a serial line or a transparent converter, TCP with its own header.

RTU: `unit PDU CRC`, CRC-16 (polynomial A001H, start FFFFH) low byte first. TCP: `transaction 0000 length unit
PDU`. Sources: MODBUS over Serial Line V1.02, MODBUS Messaging on TCP/IP V1.0b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.errors import BadRequest, MeterRefused

from .pdu import Question, refusal

RTU_OVERHEAD: Final = 3
TCP_HEADER: Final = 7


def _crc_row(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


_CRC: Final = tuple(_crc_row(value) for value in range(256))


def crc16(data: bytes) -> bytes:
    """Return the checksum of a serial frame as it travels, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def rtu_frame(*, unit: int, pdu: bytes) -> bytes:
    """Put a request or an answer into a serial frame."""
    body = bytes([unit]) + pdu
    return body + crc16(body)


def tcp_frame(*, transaction: int, unit: int, pdu: bytes) -> bytes:
    """Put a request or an answer into a TCP frame."""
    return transaction.to_bytes(2) + b"\0\0" + (len(pdu) + 1).to_bytes(2) + bytes([unit]) + pdu


def check_unit(*, number: str) -> int:
    """Turn the unit number of a meter into its byte. Raises `BadRequest` for broadcast and beyond 247."""
    if not (number.isascii() and number.isdigit() and 1 <= int(number) <= 247):
        raise BadRequest(f"{number!r} is not a Modbus unit: it is a number from 1 to 247.")
    return int(number)


@dataclass(frozen=True, slots=True)
class RtuFraming:
    """Serial frames. They carry no identity beyond the unit: throw away unread bytes before asking."""

    unit: int

    def request(self, question: Question) -> bytes:
        """Frame one question."""
        return rtu_frame(unit=self.unit, pdu=question.encode())

    def listener(self, question: Question, request: bytes) -> Callable[[bytes], bytes | None]:
        """Return the search for the answer to this question in what is heard."""

        def hear(heard: bytes) -> bytes | None:
            start = bytes([self.unit])
            at = heard.find(start)
            while at >= 0:
                if (answer := self._at(heard, at, question)) is not None:
                    return answer
                at = heard.find(start, at + 1)
            return None

        return hear

    def _at(self, heard: bytes, at: int, question: Question) -> bytes | None:
        for size in (question.answer_bytes, 2):
            pdu = heard[at + 1 : at + 1 + size]
            if not (question.is_answer(pdu) or question.is_refusal(pdu)):
                continue
            if heard[at + 1 + size : at + RTU_OVERHEAD + size] == crc16(heard[at : at + 1 + size]):
                return _payload(question, pdu, unit=self.unit)
        return None


class TcpFraming:
    """TCP frames. Each question has a transaction number, so a late answer to an older one is never taken."""

    __slots__ = ("_transaction", "unit")

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self._transaction = 0

    def request(self, question: Question) -> bytes:
        """Frame one question under the next transaction number."""
        self._transaction = self._transaction % 0xFFFF + 1
        return tcp_frame(transaction=self._transaction, unit=self.unit, pdu=question.encode())

    def listener(self, question: Question, request: bytes) -> Callable[[bytes], bytes | None]:
        """Return the search for the answer to this request in what is heard."""

        def hear(heard: bytes) -> bytes | None:
            for size in (question.answer_bytes, 2):
                head = request[:4] + (size + 1).to_bytes(2) + request[6:7]
                at = heard.find(head)
                while at >= 0:
                    pdu = heard[at + TCP_HEADER : at + TCP_HEADER + size]
                    if question.is_answer(pdu) or question.is_refusal(pdu):
                        return _payload(question, pdu, unit=self.unit)
                    at = heard.find(head, at + 1)
            return None

        return hear


type Framing = RtuFraming | TcpFraming


def _payload(question: Question, pdu: bytes, *, unit: int) -> bytes:
    if question.is_refusal(pdu):
        raise MeterRefused(number=str(unit), reason=refusal(pdu[1]))
    return question.answer(pdu)
