"""What can be wrong with bytes that arrived: one class per cause, each with a stable ``code``.

A receiver counts, quarantines and alarms by ``code``; the text is for the person who reads the alarm.
"""

from typing import ClassVar


class FrameError(ValueError):
    """Bytes from the wire are not what the protocol says. Nothing of them may be used."""

    code: ClassVar[str] = "bad_frame"


class Damaged(FrameError):
    """The bytes are not those that were sent: their checksum is another one."""

    code = "damaged"


class MalformedCbor(FrameError):
    """The bytes are not one deterministic CBOR value (RFC 8949, section 4.2.1)."""

    code = "malformed_cbor"


class BadVersion(FrameError):
    """The message is of a protocol version this program does not speak."""

    code = "bad_version"


class BadShape(FrameError):
    """The value decodes, but a field is missing, of another type or out of its range."""

    code = "bad_shape"


class TooLarge(FrameError):
    """The message is longer than the protocol allows."""

    code = "too_large"


class BadSignature(FrameError):
    """The signature does not hold, or was made for another purpose."""

    code = "bad_signature"


class UnknownKey(FrameError):
    """The message names a signing key that the receiver does not hold."""

    code = "unknown_key"


class BadTopic(FrameError):
    """A topic or subject does not follow ``fw/v1/{book}/{site}/{gw}/{up|down}``."""

    code = "bad_topic"
