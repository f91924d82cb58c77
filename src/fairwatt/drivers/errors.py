"""What can go wrong between us and a meter of any protocol, each under a name and a stable code."""

from __future__ import annotations

from .contract import DriverError


class BadRequest(DriverError):
    """The caller asked for something that cannot be put into a frame; nothing was sent."""

    code = "bad_request"


class NoAnswer(DriverError):
    """A meter stayed silent through every attempt. Its supply is unchanged and no energy was charged."""

    code = "no_answer"

    def __init__(self, *, number: str, attempts: int) -> None:
        super().__init__(
            f"Meter {number} did not answer {attempts} attempts. Its supply is unchanged and nothing is "
            "charged until it answers. Check its wiring, its power and that this address is on this bus."
        )
        self.number = number
        self.attempts = attempts


class MeterRefused(DriverError):
    """A meter understood the request and refused it; `reason` says why in its own protocol's words."""

    code = "meter_refused"

    def __init__(self, *, number: str, reason: str) -> None:
        super().__init__(f"Meter {number} refused: {reason}. Nothing was changed in the meter.")
        self.number = number
        self.reason = reason


class UnreadableValue(DriverError):
    """A reply passed its checksum but its value breaks the format. It must not become a reading."""

    code = "unreadable_value"

    def __init__(self, *, what: str, data: bytes, why: str = "which that format cannot hold") -> None:
        super().__init__(
            f"The meter sent {data.hex() or 'nothing'} as {what}, {why}. The value is dropped and nothing is "
            "charged from it. Compare the meter's profile with its manual."
        )
        self.data = data


class NotAMessage(DriverError):
    """What arrived is no message of this protocol: not whole, not of its form, or not signed as it should."""

    code = "not_a_message"

    def __init__(self, *, protocol: str, why: str) -> None:
        super().__init__(
            f"This is no {protocol} message: {why}. It is dropped whole, nothing is charged from it and no "
            "supply is changed. Compare the sender's form with the page of this protocol in docs/protocol."
        )
        self.why = why


class CounterFell(DriverError):
    """A pulse counter shows less than before, and not because it turned over."""

    code = "counter_fell"

    def __init__(self, *, number: str, before: int, now: int) -> None:
        super().__init__(
            f"Pulse counter {number} fell from {before} to {now}. Nothing is charged from it and supply is as "
            "it was. Find out whether it lost its memory or was exchanged, and enter a new opening value."
        )
        self.number = number
        self.before = before
        self.now = now


class CannotReach(DriverError):
    """An order cannot be sent now: the device sleeps, or its class has no downlink before the next uplink."""

    code = "must_wait"
