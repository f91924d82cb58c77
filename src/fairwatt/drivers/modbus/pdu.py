"""What a Modbus question asks and what its answer holds, whatever frame carries them.

Source: MODBUS Application Protocol Specification V1.1b3. Only what a meter needs: reading bits and registers
(functions 1 to 4), writing one coil (5), one register (6) and several registers (16).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fairwatt.drivers.errors import BadRequest

READ_COILS: Final = 1
READ_INPUTS: Final = 2
READ_HOLDING: Final = 3
READ_INPUT_REGISTERS: Final = 4
WRITE_COIL: Final = 5
WRITE_REGISTER: Final = 6
WRITE_REGISTERS: Final = 16

READS_BITS: Final = frozenset({READ_COILS, READ_INPUTS})
READS_REGISTERS: Final = frozenset({READ_HOLDING, READ_INPUT_REGISTERS})
EXCEPTION: Final = 0x80
REGISTERS_MAX: Final = 125

REFUSALS: Final = {
    1: "it does not know this function",
    2: "it has no such register",
    3: "it does not take this value",
    4: "it failed while doing it",
    5: "it needs longer and asks to be polled",
    6: "it is busy",
    8: "its memory has an error",
    10: "the converter has no path to it",
    11: "the converter got no answer from it",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One request without unit and frame: what is sent, and what its answer must look like."""

    function: int
    address: int
    count: int = 1
    values: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.address <= 0xFFFF or not 1 <= self.count <= REGISTERS_MAX:
            raise BadRequest(
                f"A Modbus question names an address of 0 to 65535 and 1 to {REGISTERS_MAX} registers; "
                f"got {self.address} and {self.count}. Nothing was sent."
            )
        if any(not 0 <= value <= 0xFFFF for value in self.values):
            raise BadRequest(f"{self.values} do not fit in registers of 16 bits. Nothing was sent.")

    def encode(self) -> bytes:
        """Write the request: function, address, and count or values."""
        head = bytes([self.function]) + self.address.to_bytes(2)
        if self.function in READS_BITS | READS_REGISTERS:
            return head + self.count.to_bytes(2)
        if self.function in (WRITE_COIL, WRITE_REGISTER):
            return head + self.values[0].to_bytes(2)
        body = b"".join(value.to_bytes(2) for value in self.values)
        return head + len(self.values).to_bytes(2) + bytes([len(body)]) + body

    @property
    def answer_bytes(self) -> int:
        """How long a good answer is, from the function byte on."""
        if self.function in READS_REGISTERS:
            return 2 + 2 * self.count
        if self.function in READS_BITS:
            return 2 + (self.count + 7) // 8
        return 5

    def is_answer(self, pdu: bytes) -> bool:
        """Say whether these bytes can be the good answer to this question, and not to another one."""
        if len(pdu) != self.answer_bytes or pdu[0] != self.function:
            return False
        if self.function in READS_BITS | READS_REGISTERS:
            return pdu[1] == len(pdu) - 2
        return pdu == self.encode()[:5]

    def is_refusal(self, pdu: bytes) -> bool:
        """Say whether these bytes can be the exception answer to this question."""
        return len(pdu) == 2 and pdu[0] == self.function | EXCEPTION

    def answer(self, pdu: bytes) -> bytes:
        """Cut the payload out of a good answer: registers or bits as they came, nothing of a write."""
        return pdu[2:] if self.function in READS_BITS | READS_REGISTERS else b""


def refusal(code: int) -> str:
    """Say in words what an exception code means."""
    return f"{REFUSALS.get(code, 'for a reason of its own')} (exception {code})"
