"""The poster's own process takes wishes on: orders signed, receipts heard, reports compared, the next ones let go.

What the gateways said is in the events of the batches; here it is only folded. Stopped anywhere, it goes on there;
done twice, it is done once (natural keys, numbers that rise, states that only move on).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from fairwatt.core.commands.model import State
from fairwatt.core.credit.blast import WINDOW_US, order_limit
from fairwatt.core.metering.transformer import Transformer
from fairwatt.flows.ask_push import SLOTS, obj_of
from fairwatt.flows.set_alarms import watch_of
from fairwatt.store import alarm_settings, facts, pushes
from fairwatt.store.models import Book, Gateway, Installation, Meter
from fairwatt.store.pushes import Order, Push, Target
from fairwatt.wire.commands import Command, Result, SetSupply, decode_command, hash8, verify_receipt
from fairwatt.wire.cose import unverified_payload
from fairwatt.wire.errors import FrameError
from fairwatt.wire.standing import Slot, Standing, body_from_obj, shows

EXPIRES_US: Final = 2 * 86_400_000_000
AT_ONCE: Final = 200
"""So many orders of one push may be under way."""
BAD: Final = ("failed", "expired")
OVER: Final = ("proven", "failed", "expired", "superseded")

type Signer = Callable[[Command], bytes]


@transaction.atomic(durable=True)
def advance_pushes(*, book_id: int, sign: Signer, now_us: int) -> dict[int, list[bytes]]:
    """Take every wish of a book as far as it may go now; return by gateway the commands that wait for a receipt."""
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        gateways = {row.pk: row for row in Gateway.objects.filter(site__book_id=book_id)}
        for order in pushes.open_orders(book=book_id):
            _hear(cursor, book_id, gateways[order.gateway], order, now_us)
        for push in reversed(pushes.pushes(book=book_id, only_open=True, limit=500)):
            if push.state == "running":
                _advance(cursor, book_id, gateways, push, sign, now_us)
    waiting: dict[int, list[bytes]] = {}
    for order in pushes.open_orders(book=book_id):
        if order.state == State.QUEUED:
            waiting.setdefault(order.gateway, []).append(order.payload)
    return waiting


def _hear(cursor: Any, book: int, gateway: Gateway, order: Order, now_us: int) -> None:
    """Fold what was said about one order: a receipt accepts it, a report behind the receipt proves it or does not."""
    state = order.state
    for event, code, said in pushes.told_about(book=book, order=order):
        moved: dict[str, Any] = {}
        if code == "standing_receipt" and state == State.QUEUED:
            result, receipt = _receipt(gateway, order, said)
            if result is None:
                continue
            state = State.ACCEPTED if result == Result.APPLIED else State.FAILED
            moved = {
                "receipt": receipt,
                "reason": "" if state == State.ACCEPTED else Result(result).name.lower(),
            }
        elif code == "reported" and state == State.ACCEPTED:
            body = decode_command(unverified_payload(order.payload)).body
            proven = not isinstance(body, SetSupply) and shows(body=body, reported=said)
            state = State.PROVEN if proven else State.FAILED
            moved = {"reported": said, "reason": "" if proven else "shows_otherwise"}
        if moved:
            pushes.move_order(
                cursor=cursor, order=order.id, state=str(state), now_us=now_us, after_event=event, **moved
            )
        if state in OVER:
            return
    if state == State.QUEUED and now_us >= order.expires_us:
        pushes.move_order(
            cursor=cursor, order=order.id, state="expired", now_us=now_us, after_event=order.after_event
        )


def _receipt(gateway: Gateway, order: Order, said: dict[str, Any]) -> tuple[int | None, bytes]:
    """The result that the gateway signed for exactly these bytes; None for anything else."""
    try:
        message = bytes.fromhex(str(said.get("message", "")))
        keys = {gateway.slug.encode(): Ed25519PublicKey.from_public_bytes(bytes(gateway.public_key))}
        receipt = verify_receipt(message=message, keys=keys)
    except (FrameError, ValueError):
        return None, b""
    if (receipt.meter, receipt.seq, receipt.command_hash8) != (order.meter, order.seq, hash8(order.payload)):
        return None, b""
    return receipt.result, message


def _advance(
    cursor: Any, book: int, gateways: dict[int, Gateway], push: Push, sign: Signer, now_us: int
) -> None:
    targets = pushes.targets(push=push)
    waiting = [target for target in targets if target.state == "waiting"]
    if not waiting:
        if all(target.state in OVER for target in targets):
            pushes.add_step(
                cursor=cursor, book=book, push=push.id, step="done", author=None, words="", now_us=now_us
            )
        return
    canaries = targets[: _canaries(push)]
    bad = [target for target in canaries if target.state in BAD]
    if bad and "resume" not in push.steps:
        words = f"{len(bad)} of the first {len(canaries)} failed"
        pushes.add_step(
            cursor=cursor, book=book, push=push.id, step="hold", author=None, words=words, now_us=now_us
        )
        return
    if any(target.state not in OVER for target in canaries):
        waiting = [target for target in waiting if target.place < len(canaries)]
    if _too_many(cursor, book, push, now_us):
        return
    under_way = sum(target.state in ("queued", "accepted") for target in targets)
    for target in waiting[: max(0, AT_ONCE - under_way)]:
        _order(cursor, book, gateways[target.gateway], push, target, sign, now_us)


def _canaries(push: Push) -> int:
    """How many are tried first: the share, rounded up; none where it is 0."""
    return -(-push.targets * push.canary_pm // 1000)


def _too_many(cursor: Any, book: int, push: Push, now_us: int) -> bool:
    """Whether so many homes would go dark that a second person must say it is meant; ask, then."""
    if push.kind != "supply" or push.wish.get("relay") != "open" or push.approved:
        return False
    meters = Installation.objects.filter(wallet__book_id=book, closed_us__isnull=True).count()
    cursor.execute(
        "SELECT count(DISTINCT (gateway, meter)) FROM event WHERE book = %s AND at_us > %s "
        "AND kind IN ('supply.cut_ordered') AND NOT (gateway, meter) IN (SELECT gateway, meter FROM push_target "
        "WHERE push = %s)",
        [book, now_us - WINDOW_US, push.id],
    )
    recent, limit = int(cursor.fetchone()[0]), order_limit(meters=meters)
    if recent + push.targets <= limit:
        return False
    words = f"{push.targets} meters, {recent} in the last hour; the limit is {limit}"
    pushes.add_step(
        cursor=cursor, book=book, push=push.id, step="ask", author=None, words=words, now_us=now_us
    )
    return True


def _order(
    cursor: Any, book: int, gateway: Gateway, push: Push, target: Target, sign: Signer, now_us: int
) -> None:
    if push.kind == "supply":
        facts.add(
            cursor=cursor,
            book=book,
            kind="supply_order",
            natural_key=f"push:{push.id}:{target.gateway}:{target.meter}",
            wallet=None,
            payload={
                "push": push.id,
                "gateway": target.gateway,
                "meter": target.meter,
                "relay": push.wish["relay"],
            },
            raw=b"",
            now_us=now_us,
        )
        return
    slot = SLOTS[push.kind]
    write_order(
        cursor=cursor,
        book=book,
        gateway=target.gateway,
        meter=target.meter,
        slot=slot,
        push=push.id,
        body=_body(book, gateway, push, slot, target),
        sign=sign,
        now_us=now_us,
    )


def write_order(
    *,
    cursor: Any,
    book: int,
    gateway: int,
    meter: int,
    slot: Slot,
    push: int,
    body: Standing,
    sign: Signer,
    now_us: int,
) -> None:
    """Write the next signed order of a slot; it supersedes the one before it."""
    command = Command(
        meter=meter,
        kind=int(slot),
        seq=pushes.next_seq(cursor=cursor, gateway=gateway, meter=meter, kind=int(slot)),
        issued_us=now_us,
        expires_us=now_us + EXPIRES_US,
        amount_micro=0,
        order=push.to_bytes(8, "big"),
        body=body,
    )
    pushes.add_order(
        cursor=cursor,
        book=book,
        gateway=gateway,
        meter=meter,
        kind=int(slot),
        seq=command.seq,
        push=push,
        payload=sign(command),
        expires_us=command.expires_us,
        now_us=now_us,
    )


def _body(book: int, gateway: Gateway, push: Push, slot: Slot, target: Target) -> Standing:
    """What one meter or gateway is ordered to be like: the same wish is another for each that sees other watts."""
    if slot is Slot.WATCH:
        meter = Meter.objects.select_related("gateway").get(gateway=gateway, number=target.meter)
        known = alarm_settings.settings(book=book, upto=int(push.wish["setting"]))
        return watch_of(book=Book.objects.get(pk=book), meter=meter, known=known)
    wish = push.wish
    if slot is Slot.LIMIT_POWER and wish["limit_w"] is not None:
        wish = {"limit_w": _seen_by_meter(target, wish["limit_w"])}
    obj = obj_of(kind=push.kind, wish=wish, gateway=gateway.slug)
    return body_from_obj(kind=int(slot), meter=target.meter, value=obj)


def _seen_by_meter(target: Target, limit_w: int) -> int:
    """A limit of a home's wires in the watts that its meter sees behind its current transformers."""
    home = Installation.objects.filter(
        meter__gateway_id=target.gateway, meter__number=target.meter, closed_us__isnull=True
    ).first()
    return limit_w if home is None else Transformer(*home.transformer).of_meter(limit_w)
