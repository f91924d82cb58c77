"""Who may do what at a gateway itself: a permit, signed by the issuer, bound to its holder's key.

``[1, serial, holder, holder_key, book, site, [[gateway, its key], ...], [meter, ...], rights, hours_max, from_us,
until_us]`` as COSE_Sign1. An administrator's names no meters and means all; a resident's names the meters of the
home and has lesser rights. It also tells the holder which key each gateway must prove.
"""

from collections.abc import Mapping
from enum import IntFlag
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fairwatt.wire import cbor, cose
from fairwatt.wire.errors import BadShape, BadVersion

VERSION: Final = 1
PERMIT: Final = b"fairwatt/v1/permit"
GATEWAYS_MAX: Final = 64
METERS_MAX: Final = 64
HOURS_MAX: Final = 72
_U64: Final = (1 << 64) - 1
_MAX_BYTES: Final = 8 * 1024
"""A permit is carried inside a record, so it may be longer than what a stranger may send."""


class Right(IntFlag):
    """What a permit allows. A resident's has LOOK and CODE."""

    LOOK = 1
    CODE = 2
    RESTORE = 4
    COURIER = 8


RESIDENT: Final = Right.LOOK | Right.CODE
ALL: Final = Right.LOOK | Right.CODE | Right.RESTORE | Right.COURIER


class Permit(NamedTuple):
    """The right of one person, at some gateways, for a while: [from_us, until_us)."""

    serial: bytes
    holder: str
    holder_key: bytes
    book: str
    site: str
    gateways: tuple[tuple[str, bytes], ...]
    meters: tuple[int, ...]
    rights: Right
    hours_max: int
    from_us: int
    until_us: int

    def key_of(self, gateway: str) -> bytes | None:
        """The key that a gateway of this permit proves; None for a gateway it does not name."""
        return dict(self.gateways).get(gateway)

    def covers(self, meter: int) -> bool:
        """Say whether it is about this meter, too."""
        return not self.meters or meter in self.meters


def sign_permit(*, permit: Permit, key: Ed25519PrivateKey, kid: bytes) -> bytes:
    """Return the COSE_Sign1 message of a permit. Raises what `verify_permit` would for its fields."""
    gateways = [[slug, public] for slug, public in permit.gateways]
    fields = [*permit[:5], gateways, list(permit.meters), int(permit.rights), *permit[8:]]
    payload = cbor.encode([VERSION, *fields])
    _decode(payload)
    return cose.sign(payload=payload, key=key, kid=kid, domain=PERMIT)


def verify_permit(*, message: bytes, keys: Mapping[bytes, Ed25519PublicKey]) -> Permit:
    """Return the permit when an issuer of ``keys`` signed it. Place and time: the receiver checks."""
    return _decode(cose.verify(message=message, keys=keys, domain=PERMIT))


def unverified_permit(message: bytes, /) -> Permit:
    """Read one's own permit, which its holder cannot verify and need not: the gateway does."""
    return _decode(cose.unverified_payload(message))


def _decode(payload: bytes) -> Permit:
    value = cbor.decode(payload, max_bytes=_MAX_BYTES, what="the permit")
    if type(value) is list and value and type(value[0]) is int and value[0] != VERSION:
        raise BadVersion(f"the permit is of another version than {VERSION}, which is all this program speaks")
    _, serial, holder, key, book, site, gateways, meters, rights, hours, since, until = cbor.array(
        value, length=12, what="the permit"
    )
    if type(gateways) is not list or not 0 < len(gateways) <= GATEWAYS_MAX:
        raise BadShape(f"the permit names no gateway, or more than {GATEWAYS_MAX}")
    if type(meters) is not list or len(meters) > METERS_MAX:
        raise BadShape(f"the permit's meters are no list of at most {METERS_MAX}")
    pairs = [cbor.array(one, length=2, what="a gateway of the permit") for one in gateways]
    return Permit(
        serial=cbor.octets(serial, what="the permit's serial", length=16),
        holder=cbor.text(holder, what="the permit's holder", max_chars=80),
        holder_key=cbor.octets(key, what="the holder's key", length=32),
        book=cbor.text(book, what="book", max_chars=64),
        site=cbor.text(site, what="site", max_chars=64),
        gateways=tuple(
            (cbor.text(slug, what="gateway", max_chars=64), cbor.octets(own, what="its key", length=32))
            for slug, own in pairs
        ),
        meters=tuple(cbor.integer(meter, what="meter", low=1, high=_U64) for meter in meters),
        rights=Right(cbor.integer(rights, what="rights", low=1, high=int(ALL))),
        hours_max=cbor.integer(hours, what="hours_max", high=HOURS_MAX),
        from_us=cbor.signed(since, what="from_us"),
        until_us=cbor.signed(until, what="until_us"),
    )
