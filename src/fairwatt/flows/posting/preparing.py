"""The part of a batch that is known before anything else: frames read, readings judged, energy priced.

Nothing here moves the poster's state or asks the database.
"""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True, kw_only=True)
class Charged:
    """Rated forward readings: lines without a place in their wallets yet, and where the registers went."""

    lines: npt.NDArray[Any]
    wallet_ix: Int64s
    registers: npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A batch as far as it goes without the database."""

    now_us: int
    intake: Intake
    sifted: Sifted
    charged: Charged | None
    """None when readings behind their heads, or estimates, must be settled first: the forward ones go on from there"""


def prepare(*, state: BookState, messages: Messages, now_us: int) -> Prepared:
    """Prepare the batch after `state`. `now_us` is the batch's domain time."""
    known = Known(
        spools={pk: (gateway.epoch, gateway.seq) for pk, gateway in state.gateways.items()},
        gateway_ids=state.gateway_ids,
        chaff=state.chaff,
        condemned=state.condemned,
    )
    intake = take_in(messages=messages, known=known, now_us=now_us)
    sifted = sift(state=state, heads=state.registers, intake=intake, now_us=now_us)
    charged = None
    on_estimates = state.registers["estimated"][sifted.register[sifted.plausible]].any()
    if not (len(sifted.behind) or len(sifted.past) or on_estimates):
        charged = charge(state=state, registers=state.registers.copy(), intake=intake, sifted=sifted)
    return Prepared(now_us=now_us, intake=intake, sifted=sifted, charged=charged)


def charge(*, state: BookState, registers: npt.NDArray[Any], intake: Intake, sifted: Sifted) -> Charged:
    """Price every forward reading, moving `registers`."""
    lines, wallet_ix = charge_forward(state=state, registers=registers, intake=intake, sifted=sifted)
    return Charged(lines=lines, wallet_ix=wallet_ix, registers=registers)
