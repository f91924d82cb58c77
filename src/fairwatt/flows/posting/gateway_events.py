"""What gateways noticed: trips they decided alone, meters that fell silent, clocks that were wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.flows.posting.book_state import BookState, register_key
from fairwatt.flows.posting.intake import Intake
from fairwatt.store.posting import EventRow

LOCAL_TRIP: Final = "local_trip"
GUARD_BALANCE: Final = "guard_balance"


@dataclass(kw_only=True)
class HeardEvents:
    """Events to store, and the wallets (indices) whose supply must be looked at again."""

    events: list[EventRow] = field(default_factory=list)
    wallets: set[int] = field(default_factory=set)


def hear_events(*, state: BookState, wallets: npt.NDArray[Any], intake: Intake) -> HeardEvents:
    """Store the gateways' events under their own code; take over trips decided while the link was down."""
    heard = HeardEvents()
    for gateway, _, event in intake.events:
        n = -1
        if event.meter:
            keys = np.array([register_key(gateway=gateway, meter=event.meter)])
            n = int(state.find_registers(keys=keys)[0])
        ix = int(state.registers["wallet_ix"][n]) if n >= 0 else None
        evidence = {
            key: value.hex() if isinstance(value, bytes) else value for key, value in event.detail.items()
        }
        if event.code == LOCAL_TRIP and ix is not None:
            wallets["cut_by_credit"][ix] = True
            heard.wallets.add(ix)
        if event.code == GUARD_BALANCE and ix is not None:
            evidence["ledger_micro"] = int(wallets["balance_micro"][ix] - wallets["held_micro"][ix])
        heard.events.append(
            EventRow(
                kind=f"gateway.{event.code}",
                at_us=event.at_us,
                wallet=None if ix is None else int(wallets["wallet"][ix]),
                gateway=gateway,
                meter=event.meter or None,
                reason=str(evidence.pop("reason", "")),
                rule=str(evidence.pop("rule", "")),
                evidence=evidence,
            )
        )
    return heard
