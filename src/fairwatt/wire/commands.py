"""What a meter is told to do, and what its gateway signs in return.

SET_SUPPLY carries the whole desired state of a meter, relay and grant: a newer sequence number replaces every
older one, and an order that was lost needs no repair.
"""

from collections.abc import Mapping
from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fairwatt.wire import cbor, cose
from fairwatt.wire.errors import BadShape, BadVersion
from fairwatt.wire.standing import Standing, body_from_obj, body_to_obj

VERSION: Final = 1
SET_SUPPLY: Final = 1
_U64: Final = (1 << 64) - 1
_MAX_BYTES: Final = cose.MAX_MESSAGE_BYTES


class RelayOrder(IntEnum):
    """Where the relay is to be. LEAVE renews the grant and touches nothing."""

    OPEN = 0
    CLOSED = 1
    LEAVE = 2


class Result(IntEnum):
    """What became of a command at the gateway."""

    APPLIED = 0
    STALE = 1
    EXPIRED = 2
    BAD_SIGNATURE = 3
    METER_REFUSED = 4
    OTHER_BYTES = 5
    SAFETY_OPEN = 6


class GrantState(NamedTuple):
    """The rated register state that the grant counts on from: the fields of core.rating's RegisterState."""

    at_us: int
    register_wh: int
    counter_wh: int
    window_us: int
    carry_nano: int
    carry_tax: int


class Lease(NamedTuple):
    """What makes a grant a lease: the part of the wallet's credit that it is, and what the whole wallet had."""

    part_ppm: int
    wallet_micro: int


class Grant(NamedTuple):
    """The right to go on alone: what the wallet had at ``as_of_us``, and how to count on from there.

    All readings of the wallet's meters up to ``as_of_us`` are already in ``available_micro``.
    ``schedule_obj`` and ``policy_obj`` are the plain forms made by core.rating and core.credit.
    With a ``lease`` the amount is this meter's own, and counts from its own ``state`` alone.
    """

    wallet: int
    as_of_us: int
    available_micro: int
    state: GrantState
    schedule_obj: object
    policy_obj: object
    protected: bool
    feeds_gateway: bool
    warned_at_us: int | None
    lease: Lease | None = None


class SetSupply(NamedTuple):
    """Desired state of one meter. ``reason`` is the sentence key that tenant and console show."""

    relay: int
    reason: str
    grant: Grant | None


class Command(NamedTuple):
    """A signed order. Valid in [issued_us, expires_us); ``seq`` rises strictly per meter and kind."""

    meter: int
    kind: int
    seq: int
    issued_us: int
    expires_us: int
    amount_micro: int
    order: bytes
    body: SetSupply | Standing

    @property
    def supply(self) -> SetSupply:
        """The body of a SET_SUPPLY; of no other kind."""
        if not isinstance(self.body, SetSupply):
            raise BadShape(f"a command of kind {self.kind} says nothing about supply")
        return self.body


class Receipt(NamedTuple):
    """What the gateway did. ``relay`` is what the meter said afterwards (wire.records.Relay)."""

    meter: int
    seq: int
    result: int
    relay: int
    available_micro: int | None
    meter_time_us: int
    command_hash8: bytes


def hash8(message: bytes, /) -> bytes:
    """First 8 bytes of the SHA-256 of a signed command: how a receipt names the bytes it answers."""
    return sha256(message).digest()[:8]


def encode_command(command: Command, /) -> bytes:
    """Write a command as the payload to be signed."""
    body = command.body
    if isinstance(body, SetSupply):
        grant = None if body.grant is None else grant_to_obj(body.grant)
        plain: list[object] = [int(body.relay), body.reason, grant]
    else:
        plain = body_to_obj(body)
    payload = cbor.encode([VERSION, *command[:7], plain])
    decode_command(payload)
    return payload


def decode_command(payload: bytes, /) -> Command:
    """Read the payload of a command; every field is checked. Raises a FrameError."""
    value = cbor.decode(payload, max_bytes=_MAX_BYTES, what="the command")
    _check_version(value, what="command")
    _, meter, kind, seq, issued, expires, amount, order, body = cbor.array(
        value, length=9, what="the command"
    )
    number = cbor.integer(meter, what="meter", high=_U64)
    slot = cbor.integer(kind, what="the kind of the command", low=1, high=255)
    return Command(
        number,
        slot,
        cbor.integer(seq, what="seq", low=1),
        cbor.signed(issued, what="issued_us"),
        cbor.signed(expires, what="expires_us"),
        cbor.signed(amount, what="amount_micro"),
        cbor.octets(order, what="order", length=8),
        _supply(number, body) if slot == SET_SUPPLY else body_from_obj(kind=slot, meter=number, value=body),
    )


def _supply(meter: int, value: object) -> SetSupply:
    if not meter:
        raise BadShape("an order for supply names no meter")
    relay, reason, grant = cbor.array(value, length=3, what="the desired supply")
    return SetSupply(
        cbor.integer(relay, what="the relay order", high=2),
        cbor.text(reason, what="the reason"),
        None if grant is None else grant_from_obj(grant),
    )


def grant_to_obj(grant: Grant, /) -> list[object]:
    """The plain form of a grant."""
    flags = {"feeds_gateway": grant.feeds_gateway, "protected": grant.protected}
    # A gateway that knows no leases still reads every whole grant.
    lease = [] if grant.lease is None else [list(grant.lease)]
    state, whole = list(grant.state), [grant.schedule_obj, grant.policy_obj, flags, grant.warned_at_us]
    return [*grant[:3], state, *whole, *lease]


def grant_from_obj(value: object, /) -> Grant:
    """Read the plain form of a grant. Raises BadShape. Schedule and policy have parsers of their own."""
    plain, lease = (value[:8], value[8]) if type(value) is list and len(value) == 9 else (value, None)
    wallet, as_of, available, state, schedule, policy, flags, warned = cbor.array(
        plain, length=8, what="the grant"
    )
    at, register, counter, window, nano, tax = cbor.array(state, length=6, what="the state of the grant")
    if type(flags) is not dict or set(flags) != {"protected", "feeds_gateway"}:
        raise BadShape("the flags of the grant are not protected and feeds_gateway")
    return Grant(
        wallet=cbor.integer(wallet, what="wallet", high=_U64),
        as_of_us=cbor.signed(as_of, what="as_of_us"),
        available_micro=cbor.signed(available, what="available_micro"),
        state=GrantState(
            cbor.signed(at, what="at_us"),
            cbor.integer(register, what="register_wh"),
            cbor.integer(counter, what="counter_wh"),
            cbor.signed(window, what="window_us"),
            cbor.integer(nano, what="carry_nano", high=999),
            cbor.integer(tax, what="carry_tax", high=999_999_999),
        ),
        schedule_obj=schedule,
        policy_obj=policy,
        protected=cbor.boolean(flags["protected"], what="protected"),
        feeds_gateway=cbor.boolean(flags["feeds_gateway"], what="feeds_gateway"),
        warned_at_us=None if warned is None else cbor.signed(warned, what="warned_at_us"),
        lease=None if lease is None else _lease(lease),
    )


def _lease(value: object) -> Lease:
    part, wallet = cbor.array(value, length=2, what="the lease")
    return Lease(
        cbor.integer(part, what="part_ppm", high=1_000_000), cbor.signed(wallet, what="wallet_micro")
    )


def sign_command(*, command: Command, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """Return the COSE_Sign1 message of a command."""
    return cose.sign(payload=encode_command(command), key=key, kid=kid, domain=cose.COMMAND)


def verify_command(*, message: bytes, keys: Mapping[bytes, Ed25519PublicKey]) -> Command:
    """Return the command when an issuer of ``keys`` signed it. Expiry and sequence: the receiver checks."""
    return decode_command(cose.verify(message=message, keys=keys, domain=cose.COMMAND))


def encode_receipt(receipt: Receipt, /) -> bytes:
    """Write a receipt as the payload to be signed."""
    payload = cbor.encode([VERSION, *receipt])
    decode_receipt(payload)
    return payload


def decode_receipt(payload: bytes, /) -> Receipt:
    """Read the payload of a receipt; every field is checked. Raises a FrameError."""
    value = cbor.decode(payload, max_bytes=_MAX_BYTES, what="the receipt")
    _check_version(value, what="receipt")
    _, meter, seq, result, relay, available, meter_time, digest = cbor.array(
        value, length=8, what="the receipt"
    )
    return Receipt(
        cbor.integer(meter, what="meter", high=_U64),
        cbor.integer(seq, what="seq"),
        cbor.integer(result, what="result", high=max(Result)),
        cbor.integer(relay, what="relay", high=2),
        None if available is None else cbor.signed(available, what="available_micro"),
        cbor.signed(meter_time, what="meter_time_us"),
        cbor.octets(digest, what="command_hash8", length=8),
    )


def sign_receipt(*, receipt: Receipt, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """Return the COSE_Sign1 message of a receipt."""
    return cose.sign(payload=encode_receipt(receipt), key=key, kid=kid, domain=cose.RECEIPT)


def verify_receipt(*, message: bytes, keys: Mapping[bytes, Ed25519PublicKey]) -> Receipt:
    """Return the receipt when a gateway of ``keys`` signed it."""
    return decode_receipt(cose.verify(message=message, keys=keys, domain=cose.RECEIPT))


def _check_version(value: object, *, what: str) -> None:
    if type(value) is list and value and type(value[0]) is int and value[0] != VERSION:
        raise BadVersion(f"the {what} is of another version than {VERSION}, which is all this program speaks")
