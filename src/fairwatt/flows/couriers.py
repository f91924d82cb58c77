"""What a courier takes to a gateway without a line, and what he brings from it: packed and looked through here.

Nothing is posted here: what he brings goes the way of every frame, through the log to the poster.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import connection, transaction

from fairwatt.core.refusal import Refusal
from fairwatt.store import facts, pushes
from fairwatt.store.models import Gateway, GatewayHead, Outbox
from fairwatt.wire import courier, topics
from fairwatt.wire.courier import FromGateway, ToGateway
from fairwatt.wire.errors import FrameError
from fairwatt.wire.frames import Ack, stored_up_to
from fairwatt.wire.standing import Slot

OPEN = ("queued", "accepted")


class BagRefused(Refusal):
    """The bag cannot be taken or brought. Nothing was stored."""


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A bag that was looked through: where its frames go, and how far they will be stored."""

    gateway: Gateway
    subject: str
    frames: tuple[bytes, ...]
    epoch: int
    reaches: int
    missing: tuple[tuple[int, int], ...]


def pack_bag(*, gateway: str, key: Ed25519PrivateKey, kid: bytes, now_us: int) -> ToGateway:
    """Everything a gateway should hear: its open orders, and how far its records are stored. Raises BagRefused."""
    row = _gateway(gateway)
    orders = Outbox.objects.filter(gateway=row.pk, state__in=OPEN, expires_us__gt=now_us).order_by(
        "meter", "seq"
    )
    head = GatewayHead.objects.filter(gateway=row.pk, epoch__gt=0).first()
    ack = None
    if head is not None:
        stored = Ack(head.epoch, head.seq, now_us)
        ack = courier.sign_ack(gateway=gateway, ack=stored, key=key, kid=kid)
    commands = tuple(bytes(order.payload) for order in orders) + _standing(row, now_us)
    return ToGateway(gateway, now_us, commands, ack)


def _standing(gateway: Gateway, now_us: int) -> tuple[bytes, ...]:
    """Open orders for everything but supply. Keys come last: one that is retired there may have signed the others."""
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=gateway.site.book_id)
        orders = pushes.open_orders(book=gateway.site.book_id)
    mine = [one for one in orders if one.gateway == gateway.pk and one.expires_us > now_us]
    return tuple(one.payload for one in sorted(mine, key=lambda one: (one.kind == Slot.TRUST_ISSUER, one.id)))


def look_through(*, bag: FromGateway) -> Brought:
    """Check every frame of a bag against its gateway's key. Raises BagRefused for one that was bent.

    What the gateway gave and the bag lacks is named in ``missing``; the gateway still has it.
    """
    row = _gateway(bag.gateway)
    public = Ed25519PublicKey.from_public_bytes(bytes(row.public_key))
    try:
        leaves = [courier.verify_frame(message=one, gateway=bag.gateway, key=public) for one in bag.frames]
    except FrameError as error:
        raise BagRefused(
            "A frame of gateway %(gateway)s is not as it was signed: %(why)s. Nothing was stored; the gateway "
            "still has all of it, fetch it again.",
            gateway=bag.gateway,
            why=str(error),
        ) from error
    if not leaves:
        raise BagRefused("The bag is empty: the gateway had nothing that waited. Nothing was stored.")
    head = GatewayHead.objects.filter(gateway=row.pk).first()
    epoch = leaves[-1].frame.epoch
    reaches = head.seq if head is not None and head.epoch == epoch else 0
    for leaf in leaves:
        if leaf.frame.epoch == epoch:
            reaches = stored_up_to(stored_seq=reaches, frame=leaf.frame)
    return Brought(
        gateway=row,
        subject=topics.up_subject(book=str(row.site.book_id), site=row.site.slug, gateway=row.slug),
        frames=tuple(leaf.data for leaf in leaves),
        epoch=epoch,
        reaches=reaches,
        missing=tuple(courier.missing(leaves)),
    )


def is_stored(*, brought: Brought) -> bool:
    """Say whether the poster has committed everything a bag could bring."""
    head = GatewayHead.objects.filter(gateway=brought.gateway.pk).first()
    return head is not None and (head.epoch, head.seq) >= (brought.epoch, brought.reaches)


def _gateway(slug: str) -> Gateway:
    row = Gateway.objects.select_related("site__book").filter(slug=slug).first()
    if row is None:
        raise BagRefused(
            "There is no gateway %(gateway)s here. Nothing was stored; check its name.", gateway=slug[:64]
        )
    return row
