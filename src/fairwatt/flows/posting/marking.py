"""Which registers are in doubt, and which wallets a batch has to look at or to show anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.sift import Sifted
from fairwatt.store.posting import QuarantineRow

Int64s = npt.NDArray[np.int64]


def doubt(*, state: BookState, registers: npt.NDArray[Any], chaff: Iterable[QuarantineRow]) -> None:
    """Mark meters that said something unbelievable: nobody is cut on their word until a reading is believed."""
    for row in chaff:
        if row.gateway is not None and row.meter is not None:
            n = state.find_register(gateway=row.gateway, meter=row.meter)
            if n >= 0:
                registers["doubted"][n] = True


def indices_of(state: BookState, wallets: Iterable[int]) -> list[int]:
    """The indices of wallets by their ids; those of other books are left out."""
    return [state.wallet_index[wallet] for wallet in wallets if wallet in state.wallet_index]


def marked(state: BookState, *wallets: Iterable[int]) -> Int64s:
    """The wallets of all these groups, each once, in order."""
    chosen = np.zeros(len(state.wallets), dtype=bool)
    for some in wallets:
        chosen[some if isinstance(some, np.ndarray) else list(some)] = True
    return np.flatnonzero(chosen)


def shown(*, state: BookState, touched: Int64s, flagged: Int64s, sifted: Sifted) -> Int64s:
    """Wallets whose cached rows have moved: by a line, by a flag, or by what a meter showed."""
    seen = state.registers["wallet_ix"][sifted.register[sifted.observed]]
    return marked(state, touched, flagged, seen)
