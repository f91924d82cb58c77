"""When each provider's bill of a day is to be had, whose midnight ends that day, and what its rows are named by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE
from fairwatt.payments.clocks import BEIJING, NAIROBI, wall

CLOCKS_US: Final = 2 * US_PER_MINUTE
"""As far may a provider's clock be ahead of ours."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Billing:
    """How one provider bills a day."""

    zone: timezone
    """Its day begins at midnight there, wherever the homes are."""
    ready_us: int
    """so long after the day's end the bill is there"""
    days: int
    """so far back it can be had"""
    numbers_agree: bool = True
    """The bill names a payment by the number that we were told when it was made; else only by our reference."""
    ref_chars: int = 40
    """so much of our reference stands in the bill"""
    speaks_of_empty_days: bool = True
    """A day without a movement has a bill with no rows; else it has none, as a day whose bill is late."""

    def day_of(self, at_us: int) -> str:
        """The provider's date at an instant, YYYY-MM-DD."""
        return wall(at_us, zone=self.zone, form="%Y-%m-%d")

    def span(self, day: str) -> tuple[int, int]:
        """First instant of a day, and of the next one."""
        start = datetime.combine(date.fromisoformat(day), datetime.min.time(), self.zone)
        start_us = (start - _EPOCH) // _MICRO
        return start_us, start_us + US_PER_DAY

    def is_another(self, *, at_us: int, paid_us: int) -> bool:
        """Whether a row of that instant cannot be the payment of an order that was paid when we asked, at `paid_us`."""
        return at_us > paid_us + CLOCKS_US

    def short(self, our_ref: str) -> str:
        """Our reference as the bill has it."""
        return our_ref[: self.ref_chars]


# Bills are promised for 10:00 (WeChat Pay) and 09:00 (Alipay) of the next day; WeChat's reach three months back, the
# pull API of M-Pesa 48 hours.
BILLING: Final[Mapping[str, Billing]] = {
    "wechat": Billing(zone=BEIJING, ready_us=10 * US_PER_HOUR, days=85, speaks_of_empty_days=False),
    "alipay": Billing(zone=BEIJING, ready_us=9 * US_PER_HOUR, days=85, speaks_of_empty_days=False),
    "stripe": Billing(zone=timezone(timedelta()), ready_us=US_PER_HOUR, days=365),
    "mpesa": Billing(zone=NAIROBI, ready_us=US_PER_HOUR, days=2, numbers_agree=False, ref_chars=12),
}


def neighbours(day: str) -> tuple[str, str]:
    """The dates before and after one."""
    one = date.fromisoformat(day)
    return (one - timedelta(days=1)).isoformat(), (one + timedelta(days=1)).isoformat()


def days_between(first: str, last: str) -> list[str]:
    """Dates from the first to the last, both included."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(start + timedelta(days=n)).isoformat() for n in range((end - start).days + 1)]
