"""COSE_Sign1 with Ed25519 (RFC 9052, section 4.2; RFC 9053, section 2.2), and nothing else of COSE.

Protected header ``{1: -8}``, unprotected ``{4: kid}``, tag 18. The domain string is the external additional
data: a signature made over a receipt can never be shown as one over a command.
"""

from collections.abc import Mapping
from typing import Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fairwatt.wire import cbor
from fairwatt.wire.errors import BadShape, BadSignature, UnknownKey

COMMAND: Final = b"fairwatt/v1/command"
RECEIPT: Final = b"fairwatt/v1/receipt"
MAX_MESSAGE_BYTES: Final = 64 * 1024

_TAG: Final = 18
_PROTECTED: Final = b"\xa1\x01\x27"  # {1: -8}, alg = EdDSA


def sign(*, payload: bytes, key: Ed25519PrivateKey, kid: bytes, domain: bytes) -> bytes:
    """Sign ``payload`` for one purpose (``domain``) with the key that receivers know as ``kid``."""
    signature = key.sign(_to_be_signed(payload=payload, domain=domain))
    return cbor.encode(cbor2.CBORTag(_TAG, [_PROTECTED, {4: kid}, payload, signature]))


def verify(*, message: bytes, keys: Mapping[bytes, Ed25519PublicKey], domain: bytes) -> bytes:
    """Return the payload when the signature holds for ``domain`` under a key of ``keys``.

    Raises BadShape or MalformedCbor when it is no COSE_Sign1 of this profile, UnknownKey, BadSignature.
    """
    kid, payload, signature = _parts(message)
    key = keys.get(kid)
    if key is None:
        raise UnknownKey(
            f"the message is signed by key {kid.hex()}, which is not known here; it was not obeyed"
        )
    try:
        key.verify(signature, _to_be_signed(payload=payload, domain=domain))
    except InvalidSignature:
        raise BadSignature("the signature does not match the message; it was not obeyed") from None
    return payload


def unverified_payload(message: bytes, /) -> bytes:
    """Return the payload without trusting it: only to say in an alarm or a refusal what was refused."""
    return _parts(message)[1]


def named_key(message: bytes, /) -> bytes:
    """Return the id of the key that a message names, without trusting it."""
    return _parts(message)[0]


def _parts(message: bytes) -> tuple[bytes, bytes, bytes]:
    value = cbor.decode(message, max_bytes=MAX_MESSAGE_BYTES, what="the signed message")
    if type(value) is not cbor2.CBORTag or value.tag != _TAG:
        raise BadShape("the signed message is not a COSE_Sign1 (tag 18)")
    protected, unprotected, payload, signature = cbor.array(value.value, length=4, what="the signed message")
    if protected != _PROTECTED or type(unprotected) is not dict or set(unprotected) != {4}:
        raise BadShape("the signed message has other headers than {alg: EdDSA} and {kid}")
    return (
        cbor.octets(unprotected[4], what="the key id"),
        cbor.octets(payload, what="the payload"),
        cbor.octets(signature, what="the signature", length=64),
    )


def _to_be_signed(*, payload: bytes, domain: bytes) -> bytes:
    return cbor.encode(["Signature1", _PROTECTED, domain, payload])
