"""What gateways noticed: trips they decided alone, meters that fell silent, clocks that were wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy.typing as npt

from fairwatt.flows.posting.book_state import METER_BITS, BookState
from fairwatt.flows.posting.intake import Intake
from fairwatt.flows.posting.leasing import Leases, matching
from fairwatt.store.posting import EventRow
from fairwatt.store.restore_codes import believed_until
from fairwatt.wire.records import Relay

LOCAL_TRIP: Final = "local_trip"
RESTORED: Final = "restored"
SAFETY_CUT: Final = "safety_cut"
SAFETY_RELEASED: Final = "safety_released"
GUARD_BALANCE: Final = "guard_balance"
ROLLED_BACK: Final = "spool_rolled_back"
_I63: Final = 1 << 63
_DAY_US: Final = 86_400_000_000


@dataclass(kw_only=True)
class HeardEvents:
    """Events to store, and the wallets (indices) whose supply must be looked at again."""

    events: list[EventRow] = field(default_factory=list)
    wallets: set[int] = field(default_factory=set)


def hear_events(
    *,
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    leases: Leases,
    intake: Intake,
    now_us: int,
) -> HeardEvents:
    """Store the gateways' events under their own code; take over trips decided while the link was down.

    Comes after the readings of the batch: a trip newer than every reading says where the relay is now.
    """
    heard = HeardEvents()
    for gateway, _, event in intake.events:
        n = state.find_register(gateway=gateway, meter=event.meter) if event.meter else -1
        ix = int(state.registers["wallet_ix"][n]) if n >= 0 else None
        evidence = {_storable(key): _storable(value) for key, value in event.detail.items()}
        # No clock of a gateway may name an instant that no page can show.
        at_us = max(0, min(now_us + _DAY_US, event.at_us))
        if event.code == LOCAL_TRIP and ix is not None:
            wallets["cut_by_credit"][ix] = True
            if at_us >= registers["at_us"][n]:
                registers["relay"][n] = Relay.OPEN
            heard.wallets.add(ix)
        if event.code in (SAFETY_CUT, SAFETY_RELEASED) and ix is not None:
            registers["safety_open"][n] = event.code == SAFETY_CUT
            if event.code == SAFETY_RELEASED and event.detail.get("empty") is True:
                # Credit ran out while safety kept the relay open, and keeps it open now: credit gives it back.
                wallets["cut_by_credit"][ix] = True
            heard.wallets.add(ix)
        if event.code == RESTORED and ix is not None:
            # A code or a permit, at the gateway itself: nobody cuts this meter for credit before it ends.
            until_us = believed_until(at_us=at_us, until=event.detail.get("until_us"))
            registers["restored_until_us"][n] = max(int(registers["restored_until_us"][n]), until_us)
            heard.wallets.add(ix)
        if event.code == GUARD_BALANCE and n in leases:
            _compare_lease(registers, leases, n, evidence)
        elif event.code == GUARD_BALANCE:
            ix = _compare(state, registers, wallets, gateway, evidence)
        if event.code == ROLLED_BACK:
            # Its fresh grants are on their way: the new epoch asks for them (planning).
            heard.events.append(EventRow(kind="alarm.gateway_rolled_back", at_us=now_us, gateway=gateway))
        heard.events.append(
            EventRow(
                kind=f"gateway.{_storable(event.code)}",
                at_us=at_us,
                wallet=None if ix is None else int(wallets["wallet"][ix]),
                gateway=gateway,
                meter=event.meter if 0 < event.meter < 1 << METER_BITS else None,
                reason=str(evidence.pop("reason", "")),
                rule=str(evidence.pop("rule", "")),
                evidence=evidence,
            )
        )
    return heard


def _compare(
    state: BookState,
    registers: npt.NDArray[Any],
    wallets: npt.NDArray[Any],
    gateway: int,
    evidence: dict[Any, Any],
) -> int | None:
    """Put a gateway's own count beside the ledger's; `reason` says agrees, differs, or unknown.

    The wallet's index, if it has a meter at this gateway. They can be compared when both counted up to the same
    reading; what differs then was paid, priced or corrected while the gateway could not be told.
    """
    evidence["reason"] = "unknown"
    wallet, available = evidence.get("wallet"), evidence.get("available_micro")
    ix = state.wallet_index.get(wallet) if isinstance(wallet, int) else None
    if ix is None:
        return None
    mine = [n for n in state.registers_of(ix) if int(registers["gateway"][n]) == gateway]
    if not mine:
        return None
    evidence["ledger_micro"] = ledger = int(wallets["balance_micro"][ix])
    counted = max(int(registers["at_us"][n]) for n in mine)
    if isinstance(available, int) and evidence.get("counted_us") == counted:
        evidence["amount_micro"] = available - ledger
        evidence["reason"] = "agrees" if available == ledger else "differs"
    return ix


def _compare_lease(registers: npt.NDArray[Any], leases: Leases, n: int, evidence: dict[Any, Any]) -> None:
    """Put what a gateway says is left of a lease beside what the lines left of it; `reason` as above."""
    evidence["reason"], available = "unknown", evidence.get("available_micro")
    lease = matching(
        leases[n], as_of_us=evidence.get("as_of_us"), granted_micro=evidence.get("granted_micro")
    )
    if lease is None:
        return
    evidence["ledger_micro"] = lease.left_micro
    if isinstance(available, int) and evidence.get("counted_us") == int(registers["at_us"][n]):
        evidence["amount_micro"] = available - lease.left_micro
        evidence["reason"] = "agrees" if available == lease.left_micro else "differs"


def _storable(value: Any) -> Any:
    """What PostgreSQL can keep: no NUL in texts, no boundless integers. One gateway must not stop a book."""
    match value:
        case bytes():
            return value.hex()
        case str():
            return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
        case int() if not -_I63 <= value < _I63:
            return f"an integer of {value.bit_length()} bits"
        case _:
            return value
