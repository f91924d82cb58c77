"""What gateways sign about the orders they got: accepted, refused, or an alarm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairwatt.core.commands.model import State
from fairwatt.flows.posting.book_state import BookState
from fairwatt.flows.posting.intake import Intake
from fairwatt.flows.posting.orders import OrderBook
from fairwatt.store.posting import EventRow, QuarantineRow
from fairwatt.wire.commands import Receipt, RelayOrder, Result, hash8, verify_receipt
from fairwatt.wire.errors import FrameError

_NEVER: Final = (1 << 63) - 1
"""A spool number that no reading reaches."""


def hear_receipts(*, state: BookState, registers: npt.NDArray[Any], intake: Intake, now_us: int) -> OrderBook:
    """Take the receipts of a batch: accepted, refused, or an alarm."""
    book = OrderBook(open=dict(state.orders))
    _void_old_receipts(registers, book, intake)
    for gateway_id, spool_seq, body in intake.receipts:
        gateway = state.gateways[gateway_id]
        try:
            keys = {gateway.slug.encode(): Ed25519PublicKey.from_public_bytes(gateway.public_key)}
        except ValueError:
            _unheard(
                book, gateway_id, body, "receipt_bad_key", "the key stored for this gateway is no Ed25519 key"
            )
            book.alarm_once(EventRow(kind="alarm.gateway_key", at_us=now_us, gateway=gateway_id))
            continue
        try:
            receipt = verify_receipt(message=body, keys=keys)
        except FrameError as error:
            _unheard(book, gateway_id, body, f"receipt_{error.code}", str(error))
            continue
        except Exception as error:  # a way to break the decoder that nobody has thought of
            _unheard(
                book, gateway_id, body, "receipt_unreadable", f"reading it failed with {type(error).__name__}"
            )
            continue
        n = state.find_register(gateway=gateway_id, meter=receipt.meter)
        if n >= 0:
            _take_receipt(state, registers, book, n, gateway_id, spool_seq, body, receipt, now_us)
        else:
            detail = "no open installation of this gateway has this meter"
            _unheard(book, gateway_id, body, "receipt_unknown_meter", detail)
    return book


def _unheard(book: OrderBook, gateway: int, body: bytes, code: str, detail: str) -> None:
    book.quarantine.append(QuarantineRow(code=code, detail=detail, raw=body, gateway=gateway))


def _void_old_receipts(registers: npt.NDArray[Any], book: OrderBook, intake: Intake) -> None:
    """A gateway with a new spool: no reading there lies after a receipt of the old one, so order again."""
    if not intake.new_spools:
        return
    for n, order in list(book.open.items()):
        if order.state is State.ACCEPTED and int(registers["gateway"][n]) in intake.new_spools:
            book.open[n] = replace(order, accepted_seq=_NEVER)
            book.renew.add(n)


def _take_receipt(
    state: BookState,
    registers: npt.NDArray[Any],
    book: OrderBook,
    n: int,
    gateway_id: int,
    spool_seq: int,
    body: bytes,
    receipt: Receipt,
    now_us: int,
) -> None:
    order = book.open.get(n)
    mine = order is not None and receipt.seq == order.seq and receipt.command_hash8 == hash8(order.payload)
    if receipt.result in (Result.BAD_SIGNATURE, Result.OTHER_BYTES):
        book.events.append(
            EventRow(
                kind="alarm.command_forged",
                at_us=now_us,
                gateway=gateway_id,
                meter=receipt.meter,
                reason=Result(receipt.result).name.lower(),
                evidence={"seq": receipt.seq},
            )
        )
    elif order is None or not mine or order.state is State.ACCEPTED:
        return
    elif receipt.result == Result.APPLIED:
        book.taken[n] = receipt.seq
        order = book.move(n, State.ACCEPTED, accepted_us=now_us, accepted_seq=spool_seq, receipt=body)
        order.accepted_seq = spool_seq
        if order.relay == RelayOrder.LEAVE:
            # Nothing was to be switched, so there is nothing a reading could prove.
            book.move(n, State.PROVEN, proven_us=now_us)
    else:
        refused = receipt.result in (Result.METER_REFUSED, Result.SAFETY_OPEN)
        if refused:
            book.taken[n] = receipt.seq  # the relay stayed; the grant was taken all the same
        book.move(n, State.FAILED if refused else State.EXPIRED, receipt=body)
        book.renew.add(n)
        book.events.append(
            EventRow(
                kind="order.refused",
                at_us=now_us,
                wallet=int(state.wallets["wallet"][registers["wallet_ix"][n]]),
                gateway=gateway_id,
                meter=receipt.meter,
                reason=Result(receipt.result).name.lower(),
                evidence={"seq": receipt.seq},
            )
        )
