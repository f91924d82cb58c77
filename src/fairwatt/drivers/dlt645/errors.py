"""What can go wrong between us and a DL/T 645 meter, each under a name and a stable code."""

from __future__ import annotations

from fairwatt.drivers.contract import DriverError

# Bits of the ERR byte of an abnormal reply, DL/T 645-2007 section 7 (annex of error codes).
ERR_OTHER = 0x01
ERR_NO_DATA = 0x02
ERR_PASSWORD = 0x04
ERR_BAUD = 0x08
ERR_YEAR_ZONES = 0x10
ERR_DAY_SLOTS = 0x20
ERR_TARIFFS = 0x40

_REASONS = {
    ERR_OTHER: ("other", "it gave no closer reason"),
    ERR_NO_DATA: ("no_data", "it does not hold that data item"),
    ERR_PASSWORD: ("password", "the password or its level is not accepted"),
    ERR_BAUD: ("baud", "its line speed cannot be changed"),
    ERR_YEAR_ZONES: ("year_zones", "too many year zones"),
    ERR_DAY_SLOTS: ("day_slots", "too many day slots"),
    ERR_TARIFFS: ("tariffs", "too many tariffs"),
}


# Bits of the two error bytes of function 03H, State Grid supplement; confirm per meter.
_SECURITY_REASONS = {
    0x0001: ("other", "it gave no closer reason"),
    0x0002: ("repeated", "this purchase was already credited"),
    0x0004: ("esam", "its security chip did not accept the message"),
    0x0008: ("identity", "we are not authenticated"),
    0x0010: ("customer", "the customer number is not its own"),
    0x0020: ("purchase_count", "the purchase count is not the next one"),
    0x0040: ("hoarding", "more credit than it may hold"),
    0x0080: ("address", "the address is not its own"),
    0x0100: ("suspended", "it has suspended security for a while, after too many wrong messages"),
    0x0200: ("close_failed", "its relay could not be closed"),
}


def refusal_words(err: int) -> tuple[str, ...]:
    """Say in words what the error byte of a refusal means."""
    return tuple(text for _, text in _known(_REASONS, err, f"error byte {err:02X}H"))


def security_words(err: int) -> tuple[str, ...]:
    """Say in words what the two error bytes of a refused 03H mean."""
    return tuple(text for _, text in _known(_SECURITY_REASONS, err, f"error bytes {err:04X}H"))


def _known(reasons: dict[int, tuple[str, str]], err: int, unknown: str) -> list[tuple[str, str]]:
    return [reasons[bit] for bit in reasons if err & bit] or [("unknown", unknown)]


class MeterRefused(DriverError):
    """A meter understood the request and refused it. `reasons` holds stable words, most specific last."""

    code = "meter_refused"

    def __init__(self, *, number: str, function: int, err: int, security: bool = False) -> None:
        width = 4 if security else 2
        known = _known(_SECURITY_REASONS if security else _REASONS, err, f"error byte {err:0{width}X}H")
        self.number = number
        self.function = function
        self.err = err
        self.reasons = tuple(word for word, _ in known)
        super().__init__(
            f"Meter {number} refused function {function:02X}H: {'; '.join(text for _, text in known)}. "
            "Nothing was changed in the meter."
        )


class Edition1997(DriverError):
    """A meter speaks the 1997 edition of DL/T 645, which has other identifiers and is not supported."""

    code = "edition_1997"

    def __init__(self, *, number: str) -> None:
        super().__init__(
            f"Meter {number} speaks DL/T 645-1997 (two-byte identifiers). It cannot be read or switched, so "
            "nothing is charged for it. Replace it by a 2007 meter, or add a driver for the old edition."
        )
        self.number = number


class ReplyContinues(DriverError):
    """A meter announced follow-up frames for an item that fits in one; the profile is wrong for it."""

    code = "reply_continues"

    def __init__(self, *, number: str) -> None:
        super().__init__(
            f"Meter {number} announced more frames for a single value. Nothing is charged from it. "
            "Compare the meter's profile with its manual."
        )
        self.number = number


class ReplyTooLong(DriverError):
    """A meter goes on announcing more frames beyond what any item has; what it sent is dropped."""

    code = "reply_too_long"

    def __init__(self, *, number: str, size: int) -> None:
        super().__init__(
            f"Meter {number} sent {size} bytes for one item and announced still more. Nothing is charged from "
            "it. Ask for its items one by one instead of as a block."
        )
        self.number = number


class NoMac(DriverError):
    """A top-up at the meter needs codes that only the owner of the meter's keys can make; nothing was sent."""

    code = "no_mac"

    def __init__(self, *, number: str) -> None:
        super().__init__(
            f"Meter {number} takes a top-up only with message codes made by the keys of its security chip, and "
            "none are at hand. Nothing was sent and no credit moved. Ask the meter's vendor for the key service, "
            "or keep the wallet on the platform and let the meter only switch."
        )
        self.number = number


class ClockNotTaken(DriverError):
    """A meter's clock did not follow a broadcast: it was too far off, or it took one today already."""

    code = "clock_not_taken"

    def __init__(self, *, number: str, off_s: int) -> None:
        super().__init__(
            f"The clock of meter {number} is still {off_s} s off after the broadcast. Supply and register are as "
            "they were. Write the clock with the meter's password instead."
        )
        self.number = number
        self.off_s = off_s
