"""The session between a visitor and a gateway over any stream: who speaks, and that nobody else does. No I/O.

Two open messages agree on keys, signed by the gateway; from then on every frame is an AES-256-GCM record with a
counter, and the first one proves the visitor. docs/protocol/local.md has the whole conversation.

    visitor  0 | [0, [versions], ephemeral key, nonce]
    gateway  0 | [1, version, ephemeral key, nonce, signature over all of this]
    visitor  1 | [2, permit, signature over all of this]
    gateway  1 | [3, clock_us, gateway, rights, until_us]     or [4, code, text]
    visitor  1 | [5, n, op, args]     gateway  1 | [6, n, result] or [7, n, code, text]
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fairwatt.wire import cbor, cose
from fairwatt.wire.errors import BadShape, BadSignature, BadVersion, FrameError
from fairwatt.wire.local_frames import MAX_FRAME_BYTES
from fairwatt.wire.permits import Permit, Right, unverified_permit, verify_permit

VERSION: Final = 1
GATEWAY_PROOF: Final = b"fairwatt/v1/local/gateway"
VISITOR_PROOF: Final = b"fairwatt/v1/local/visitor"
_KEYS: Final = b"fairwatt/v1/local/keys"
RECORDS_MAX: Final = 1 << 20
"""A session ends before its counters could ever matter."""

_OPEN, _SEALED = 0, 1
_HELLO, _ANSWER, _PROVE, _WELCOME, _REFUSED, _ASK, _RESULT, _NO = range(8)


class LocalError(FrameError):
    """The other side did not prove itself, or its bytes were bent on the way: the session is over."""

    code = "local_session"


class LocalRefused(Exception):
    """The gateway refused, in words; ``code`` names the reason."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Request(NamedTuple):
    """What the visitor asks for. ``number`` comes back with the answer."""

    number: int
    op: int
    args: list[object]


class Welcome(NamedTuple):
    """What the gateway said when it let the visitor in."""

    clock_us: int
    gateway: str
    rights: Right
    until_us: int


class _Sealer:
    """Records of one direction: the counter is never sent, so a record is only good at its place."""

    def __init__(self, key: bytes, iv: bytes, side: bytes) -> None:
        self._aead, self._iv, self._side = AESGCM(key), int.from_bytes(iv, "big"), side
        self._count = 0

    def _nonce(self) -> bytes:
        if self._count >= RECORDS_MAX:
            raise LocalError("the session has carried all it may; open a new one")
        nonce = (self._iv ^ self._count).to_bytes(12, "big")
        self._count += 1
        return nonce

    def seal(self, value: object) -> bytes:
        return bytes([_SEALED]) + self._aead.encrypt(self._nonce(), cbor.encode(value), self._side)

    def open(self, payload: bytes) -> list[object]:
        try:
            plain = self._aead.decrypt(self._nonce(), payload[1:], self._side)
        except InvalidTag:
            raise LocalError(
                "a record does not belong here: bent, doubled, missing or from another session; nothing was done"
            ) from None
        return _array(plain)


class GatewaySession:
    """The gateway's side of one session. Feed it payloads; it gives payloads to send, and requests to carry out."""

    def __init__(
        self,
        *,
        gateway: str,
        place: tuple[str, str],
        key: Ed25519PrivateKey,
        kid: bytes,
        issuers: Callable[[], Mapping[bytes, Ed25519PublicKey]],
        now: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._gateway, self._place = gateway, place
        self._key, self._kid, self._issuers = key, kid, issuers
        self._now, self._entropy = now, entropy
        self._transcript = b""
        self._signer: tuple[bytes, Ed25519PublicKey] | None = None
        self._hear: _Sealer | None = None
        self._say: _Sealer | None = None
        self.permit: Permit | None = None

    def take(self, payload: bytes, /) -> tuple[bytes | None, Request | None]:
        """Take one payload: what to send at once, and what to carry out. Raises LocalError: end the session."""
        if payload[:1] == bytes([_OPEN]):
            return self._answer(payload), None
        if self._hear is None or payload[:1] != bytes([_SEALED]):
            raise LocalError("the visitor did not begin with a greeting; nothing was done")
        said = self._hear.open(payload)
        if self.permit is None:
            return self._admit(said), None
        if said[0] != _ASK:
            raise LocalError("the visitor said what is no request; nothing was done")
        _, number, op, args = cbor.array(said, length=4, what="the request")
        if type(args) is not list:
            raise LocalError("the request has no arguments; nothing was done")
        self.check_time()
        return None, Request(cbor.integer(number, what="number"), cbor.integer(op, what="op"), args)

    def check_time(self) -> None:
        """A permit ends when it ends, and with the key that signed it, also inside a session. Raises LocalError."""
        assert self.permit is not None and self._signer is not None
        kid, key = self._signer
        if self._issuers().get(kid) != key:
            raise LocalError(
                "the key that signed the permit is retired; nothing was done. Ask for a new permit"
            )
        if not self.permit.from_us <= self._now() < self.permit.until_us:
            raise LocalError("the permit has ended; nothing was done. Ask for a new one")

    def result(self, request: Request, value: object) -> bytes:
        """The answer to a request."""
        assert self._say is not None
        return self._say.seal([_RESULT, request.number, value])

    def refusal(self, request: Request, code: str, text: str) -> bytes:
        """A request that was not carried out, and why."""
        assert self._say is not None
        return self._say.seal([_NO, request.number, code, text])

    def _answer(self, payload: bytes) -> bytes:
        # A greeting begins anew at any time: a serial line has no other way to say that the last visitor left.
        self._hear = self._say = self.permit = None
        kind, versions, theirs, nonce = cbor.array(_array(payload[1:]), length=4, what="the greeting")
        if kind != _HELLO or type(versions) is not list or len(versions) > 16:
            raise LocalError("this is no greeting; nothing was done")
        if VERSION not in versions:
            return bytes([_OPEN]) + cbor.encode(
                [_REFUSED, BadVersion.code, f"this gateway speaks version {VERSION} only"]
            )
        cbor.octets(nonce, what="nonce", length=16)
        mine = X25519PrivateKey.from_private_bytes(self._entropy(32))
        fields = [_ANSWER, VERSION, mine.public_key().public_bytes_raw(), self._entropy(16)]
        digest = sha256(payload + cbor.encode(fields)).digest()
        proof = cose.sign(payload=digest, key=self._key, kid=self._kid, domain=GATEWAY_PROOF)
        answer = bytes([_OPEN]) + cbor.encode([*fields, proof])
        self._transcript = sha256(payload + answer).digest()
        shared = _shared(mine, cbor.octets(theirs, what="ephemeral key", length=32))
        self._hear, self._say = _sealers(shared, self._transcript)
        return answer

    def _admit(self, said: list[object]) -> bytes:
        assert self._say is not None
        try:
            permit = self._proven(said)
        except FrameError as error:
            return self._turn_away(error.code, str(error))
        refusal = self._refuses(permit)
        if refusal is not None:
            return self._turn_away(*refusal)
        self.permit = permit
        return self._say.seal([_WELCOME, self._now(), self._gateway, int(permit.rights), permit.until_us])

    def _turn_away(self, code: str, text: str) -> bytes:
        assert self._say is not None
        sealed = self._say.seal([_REFUSED, code, text])
        self._hear = self._say = None
        return sealed

    def _proven(self, said: list[object]) -> Permit:
        kind, permit, proof = cbor.array(said, length=3, what="the proof")
        if kind != _PROVE:
            raise BadShape("the visitor's first record is no proof")
        message, keys = cbor.octets(permit, what="the permit"), self._issuers()
        found = verify_permit(message=message, keys=keys)
        kid = cose.named_key(message)
        self._signer = kid, keys[kid]
        holder = {b"visitor": Ed25519PublicKey.from_public_bytes(found.holder_key)}
        proof = cbor.octets(proof, what="the visitor's proof")
        if cose.verify(message=proof, keys=holder, domain=VISITOR_PROOF) != self._transcript:
            raise BadSignature("the visitor's proof is for another session")
        return found

    def _refuses(self, permit: Permit) -> tuple[str, str] | None:
        own = self._key.public_key().public_bytes_raw()
        if (permit.book, permit.site) != self._place or permit.key_of(self._gateway) != own:
            return (
                "wrong_permit",
                "the permit is not for this gateway; nothing was done. Ask for the right one",
            )
        now_us = self._now()
        if now_us < permit.from_us:
            return (
                "permit_not_yet",
                "the permit does not begin yet; nothing was done. Check the gateway's clock",
            )
        if now_us >= permit.until_us:
            return "permit_expired", "the permit has ended; nothing was done. Ask for a new one"
        return None


class VisitorSession:
    """The visitor's side of one session."""

    def __init__(self, *, permit: bytes, key: Ed25519PrivateKey, entropy: Callable[[int], bytes]) -> None:
        self._permit, self._key = permit, key
        self.permit = unverified_permit(permit)
        self._mine = X25519PrivateKey.from_private_bytes(entropy(32))
        own = self._mine.public_key().public_bytes_raw()
        self.greeting = bytes([_OPEN]) + cbor.encode([_HELLO, [VERSION], own, entropy(16)])
        self._hear: _Sealer | None = None
        self._say: _Sealer | None = None
        self._number = 0

    def prove(self, answer: bytes, /) -> bytes:
        """Check the gateway's answer; return the proof to send. Raises LocalError, LocalRefused."""
        said = _array(answer[1:]) if answer[:1] == bytes([_OPEN]) else []
        if said[:1] == [_REFUSED] and len(said) == 3:
            raise LocalRefused(str(said[1])[:40], str(said[2])[:300])
        kind, version, theirs, _, proof = cbor.array(said, length=5, what="the gateway's answer")
        if (kind, version) != (_ANSWER, VERSION):
            raise LocalError("the gateway answered in another version than was offered; nothing was sent")
        digest = sha256(self.greeting + cbor.encode(said[:4])).digest()
        self._check_gateway(cbor.octets(proof, what="the gateway's proof"), digest)
        transcript = sha256(self.greeting + answer).digest()
        shared = _shared(self._mine, cbor.octets(theirs, what="ephemeral key", length=32))
        self._say, self._hear = _sealers(shared, transcript)
        own = cose.sign(payload=transcript, key=self._key, kid=b"visitor", domain=VISITOR_PROOF)
        return self._say.seal([_PROVE, self._permit, own])

    def _check_gateway(self, proof: bytes, digest: bytes) -> None:
        for _, public in self.permit.gateways:
            kid = cose.named_key(proof)
            try:
                found = cose.verify(
                    message=proof,
                    keys={kid: Ed25519PublicKey.from_public_bytes(public)},
                    domain=GATEWAY_PROOF,
                )
            except BadSignature:
                continue
            if found == digest:
                return
        raise LocalError(
            "this is none of the gateways the permit is for, or somebody is in between; nothing was sent"
        )

    def welcome(self, payload: bytes, /) -> Welcome:
        """Read whether the gateway let us in. Raises LocalRefused, LocalError."""
        said = self._open(payload)
        if said[:1] == [_REFUSED]:
            _, code, text = cbor.array(said, length=3, what="the refusal")
            raise LocalRefused(cbor.text(code, what="code"), cbor.text(text, what="text", max_chars=500))
        kind, clock, gateway, rights, until = cbor.array(said, length=5, what="the welcome")
        if kind != _WELCOME:
            raise LocalError("the gateway did not answer the proof")
        return Welcome(
            cbor.signed(clock, what="clock_us"),
            cbor.text(gateway, what="gateway"),
            Right(cbor.integer(rights, what="rights", high=15)),
            cbor.signed(until, what="until_us"),
        )

    def ask(self, op: int, args: list[object], /) -> bytes:
        """A request."""
        assert self._say is not None
        self._number += 1
        return self._say.seal([_ASK, self._number, op, args])

    def answer(self, payload: bytes, /) -> object:
        """The result of the last request. Raises LocalRefused, LocalError."""
        said = self._open(payload)
        if said[:2] == [_NO, self._number]:
            _, _, code, text = cbor.array(said, length=4, what="the refusal")
            raise LocalRefused(cbor.text(code, what="code"), cbor.text(text, what="text", max_chars=500))
        kind, number, value = cbor.array(said, length=3, what="the result")
        if (kind, number) != (_RESULT, self._number):
            raise LocalError("the gateway answered another question")
        return value

    def _open(self, payload: bytes) -> list[object]:
        if self._hear is None or payload[:1] != bytes([_SEALED]):
            raise LocalError("the gateway spoke openly where it must not")
        return self._hear.open(payload)


def _array(data: bytes) -> list[object]:
    value = cbor.decode(data, max_bytes=MAX_FRAME_BYTES, what="the local message")
    if type(value) is not list or not value:
        raise BadShape("the local message is not an array")
    return value


def _shared(mine: X25519PrivateKey, theirs: bytes) -> bytes:
    try:
        return mine.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        raise LocalError("the ephemeral key is not one; nothing was done") from None


def _sealers(shared: bytes, transcript: bytes) -> tuple[_Sealer, _Sealer]:
    """The visitor's direction, and the gateway's."""
    keys = HKDF(algorithm=SHA256(), length=88, salt=transcript, info=_KEYS).derive(shared)
    return _Sealer(keys[:32], keys[64:76], b"visitor"), _Sealer(keys[32:64], keys[76:88], b"gateway")
