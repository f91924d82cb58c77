"""The part of a batch that needs no database: frames read, readings judged, energy priced.

It starts from a front, what the batch before leaves, and ends in the next front; so a batch can be prepared
while the one before it is still being made durable. Nothing here moves the poster's state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.charging import charge_forward
from fairwatt.flows.posting.intake import Intake, Known, take_in
from fairwatt.flows.posting.sift import Sifted, sift

Int64s = npt.NDArray[np.int64]
Messages = Sequence[tuple[str, bytes]]

METERED: tuple[str, ...] = (
    "at_us",
    "register_wh",
    "counter_wh",
    "window_us",
    "carry_nano",
    "carry_tax",
)
"""The columns of a register that readings move and that the next reading is judged and priced by."""


@dataclass(frozen=True, kw_only=True)
class Front:
    """Where registers and spools stand after a batch, durable or not yet."""

    batch: int
    registers: npt.NDArray[Any]
    """with dtype REGISTER; of what a batch moves, only the METERED columns are told ahead"""
    spools: Mapping[int, tuple[int, int]]
    """gateway -> (epoch, stored seq)"""

    @classmethod
    def of(cls, state: BookState) -> Front:
        """The front of what is durable."""
        spools = {pk: (gateway.epoch, gateway.seq) for pk, gateway in state.gateways.items()}
        return cls(batch=state.last_batch, registers=state.registers, spools=spools)


@dataclass(frozen=True, kw_only=True)
class Charged:
    """Rated forward readings: lines without a place in their wallets yet, and where the registers went."""

    lines: npt.NDArray[Any]
    wallet_ix: Int64s
    registers: npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A batch as far as it goes without the database."""

    batch: int
    state: BookState
    """what it was prepared against; of no use to any other"""
    messages: Messages
    now_us: int
    intake: Intake
    sifted: Sifted
    charged: Charged | None
    """None when readings behind their heads must be settled first: the forward ones go on from there"""
    after: Front | None
    """what the next batch may be prepared from; None when only the commit can tell"""


def prepare(*, state: BookState, front: Front, messages: Messages, now_us: int) -> Prepared:
    """Prepare the batch after `front`. `now_us` is the batch's domain time."""
    known = Known(
        spools=front.spools, gateway_ids=state.gateway_ids, chaff=state.chaff, condemned=state.condemned
    )
    intake = take_in(messages=messages, known=known, now_us=now_us)
    sifted = sift(state=state, heads=front.registers, intake=intake, now_us=now_us)
    batch = front.batch + 1
    charged = after = None
    if not len(sifted.behind):
        charged = charge(state=state, registers=front.registers.copy(), intake=intake, sifted=sifted)
        after = Front(batch=batch, registers=charged.registers, spools={**front.spools, **intake.heads})
    return Prepared(
        batch=batch,
        state=state,
        messages=messages,
        now_us=now_us,
        intake=intake,
        sifted=sifted,
        charged=charged,
        after=after,
    )


def charge(*, state: BookState, registers: npt.NDArray[Any], intake: Intake, sifted: Sifted) -> Charged:
    """Price every forward reading, moving `registers`."""
    lines, wallet_ix = charge_forward(state=state, registers=registers, intake=intake, sifted=sifted)
    return Charged(lines=lines, wallet_ix=wallet_ix, registers=registers)
