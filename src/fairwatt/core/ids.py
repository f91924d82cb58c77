"""Natural keys that make a fact the same fact however often it arrives, and time-ordered row ids."""

from uuid import UUID


def reading_key(*, meter: str, register: str, at_us: int) -> str:
    """Name one register reading: the same meter, register and instant is the same reading."""
    return _key("reading", meter, register, str(at_us))


def payment_key(*, provider: str, ref: str) -> str:
    """Name one payment by the provider's own reference, which survives retries and doubled callbacks."""
    return _key("pay", provider, ref)


def fee_key(*, point: str, run: str) -> str:
    """Name one fee of a fee run for one service point."""
    return _key("fee", point, run)


def correction_key(*, register: str, component: str, day: str, run: str) -> str:
    """Name one correction line: one per register, component, local day and re-rating run."""
    return _key("fix", register, component, day, run)


def _key(*parts: str) -> str:
    for part in parts:
        if not part:
            raise ValueError(f"a natural key has an empty part: {parts}")
    # Escaping keeps ("a:b", "c") and ("a", "b:c") apart, so two facts never share a key.
    return ":".join(part.replace("%", "%25").replace(":", "%3A") for part in parts)


def uuid7(*, now_us: int, entropy: bytes) -> UUID:
    """Make a UUID that sorts by time (RFC 9562, version 7), from an instant and at least 8 random bytes.

    The 12 bits after the millisecond carry the fraction of it (RFC 9562 section 6.2, method 3), so ids
    of one process sort by the microsecond, to about a quarter of one.
    """
    if len(entropy) < 8:
        raise ValueError(f"a UUIDv7 needs 8 random bytes, got {len(entropy)}")
    ms, fraction_us = divmod(now_us, 1_000)
    if not 0 <= ms < 1 << 48:
        raise ValueError(f"instant {now_us} does not fit a UUIDv7")
    fraction = fraction_us * 4_096 // 1_000
    tail = int.from_bytes(entropy[:8], "big") & ((1 << 62) - 1)
    return UUID(int=ms << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail)
