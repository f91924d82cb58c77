"""Whole micro-units, watt-hours and instants, written for a person in the language of the request."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext, pgettext

from fairwatt.core.spans import local_datetime
from fairwatt.core.units import (
    MICRO,
    NANO_PER_MICRO,
    US_PER_DAY,
    US_PER_HOUR,
    US_PER_MINUTE,
    Unit,
    format_money,
    format_used,
)
from fairwatt.payments.amounts import MINOR_DIGITS

MINUS = "−"


def money(*, micro: int, currency: str, places: int = 2) -> str:
    """An amount, never overstating credit, with a true minus sign before the symbol.

    Of less than a hundredth four decimals are shown (or all six), so that a small debt is not called nothing.
    """
    if places == 2 and 0 < abs(micro) < MICRO // 100:
        places = 4 if abs(micro) >= MICRO // 10_000 else 6
    return format_money(micro=micro, currency=currency, places=places).replace("-", MINUS)


def owed(*, micro: int, currency: str) -> str:
    """A debt as an amount above zero, rounded as the balance below zero is."""
    return money(micro=-micro, currency=currency).removeprefix(MINUS)


def charge(*, micro: int, currency: str) -> str:
    """What one line moved: in the currency's own coins, or with four decimals where there is a part of one.

    The rest is cut off, so no charge looks larger than it is.
    """
    coins = MINOR_DIGITS.get(currency, 2)
    places = 4 if micro % 10 ** (6 - coins) else coins
    shown = format_money(micro=abs(micro), currency=currency, places=places)
    return f"{MINUS}{shown}" if micro < 0 else shown


def money_exact(*, micro: int, currency: str) -> str:
    """An amount with as many decimals as it has, at least two: the ledger's own figure."""
    places = 6
    while places > 2 and micro % 10 ** (7 - places) == 0:
        places -= 1
    return money(micro=micro, currency=currency, places=places)


def exact(*, nano: int, currency: str) -> str:
    """An exact price of some energy, with as many decimals as it has and at least two."""
    micro, rest = divmod(abs(nano), NANO_PER_MICRO)
    shown = money_exact(micro=micro, currency=currency)
    if rest:
        shown = money(micro=micro, currency=currency, places=6) + f"{rest:03d}".rstrip("0")
    return (MINUS if nano < 0 else "") + shown


def money_fine(*, micro: int, currency: str) -> str:
    """An amount with two to four decimals: small sums stay readable; the ledger keeps six."""
    places = 4
    while places > 2 and micro % 10 ** (7 - places) == 0:
        places -= 1
    return money(micro=micro, currency=currency, places=places)


def kwh(*, wh: int, places: int = 1, unit: Unit = "kWh") -> str:
    """An energy in kWh, or a volume in m³ where the tariff's unit is that."""
    return format_used(wh=wh, places=places, unit=unit).replace("-", MINUS)


def used(*, wh: int, places: int, unit: Unit) -> str:
    """The same for a home's pages: of m³ a decimal more, because a home uses far fewer of them than of kWh."""
    return kwh(wh=wh, places=places if unit == "kWh" else min(places + 1, 3), unit=unit)


def exact_used(*, wh: int, unit: Unit) -> str:
    """An energy to the watt-hour (a volume to the litre), without zeros that say nothing."""
    places = 0 if wh % 1000 == 0 else 1 if wh % 100 == 0 else 2 if wh % 10 == 0 else 3
    return kwh(wh=wh, places=places, unit=unit)


def watts(*, power_w: int) -> str:
    """A power, in kW from one kilowatt on."""
    if power_w < 1000:
        return f"{power_w} W"
    return f"{power_w // 1000}.{power_w % 1000 // 10:02d} kW"


def day(*, at_us: int, zone: str) -> str:
    """A day such as "Thu 3 Dec"."""
    return date_format(_local(at_us, zone), pgettext("date format: weekday, day, month", "D j M"))


def short_day(*, at_us: int, zone: str) -> str:
    """A day without its weekday, such as "3 Dec"."""
    return date_format(_local(at_us, zone), pgettext("date format: day, month", "j M"))


def long_day(*, at_us: int, zone: str) -> str:
    """A day such as "Saturday 21 November"."""
    return date_format(_local(at_us, zone), pgettext("date format: long weekday, day, month", "l j F"))


def clock(*, at_us: int, zone: str) -> str:
    """A wall-clock time such as "18:42"."""
    return _local(at_us, zone).strftime("%H:%M")


def clock_seconds(*, at_us: int, zone: str) -> str:
    """A wall-clock time with seconds."""
    return _local(at_us, zone).strftime("%H:%M:%S")


def since(*, at_us: int, now_us: int, zone: str) -> str:
    """A past instant as "18:42", with its day in front once that was another day."""
    time = clock(at_us=at_us, zone=zone)
    same_day = _local(at_us, zone).date() == _local(now_us, zone).date()
    return time if same_day else f"{short_day(at_us=at_us, zone=zone)} {time}"


def duration(*, us: int) -> str:
    """How long something lasts, roughly: under an hour, hours, or days."""
    if us < US_PER_HOUR:
        return gettext("less than an hour")
    if us < 2 * US_PER_DAY:
        hours = us // US_PER_HOUR
        return ngettext("about %(n)d hour", "about %(n)d hours", hours) % {"n": hours}
    days = us // US_PER_DAY
    return ngettext("about %(n)d day", "about %(n)d days", days) % {"n": days}


def ago(*, at_us: int, now_us: int) -> str:
    """How long ago something was, in the largest unit that fits."""
    gone = max(0, now_us - at_us)
    if gone < US_PER_MINUTE:
        return gettext("just now")
    if gone < US_PER_HOUR:
        minutes = gone // US_PER_MINUTE
        return ngettext("%(n)d minute ago", "%(n)d minutes ago", minutes) % {"n": minutes}
    if gone < 2 * US_PER_DAY:
        hours = gone // US_PER_HOUR
        return ngettext("%(n)d hour ago", "%(n)d hours ago", hours) % {"n": hours}
    days = gone // US_PER_DAY
    return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}


def iso(*, at_us: int, zone: str) -> str:
    """The machine's form of an instant, for <time datetime>."""
    return _local(at_us, zone).isoformat(timespec="seconds")


def offset_s(*, at_us: int, zone: str) -> int:
    """How far the zone's clock is ahead of UTC at an instant."""
    ahead = _local(at_us, zone).utcoffset()
    return 0 if ahead is None else ahead.days * 86_400 + ahead.seconds


def volts(*, voltage_dv: int) -> str:
    """A voltage with its tenth."""
    sign = MINUS if voltage_dv < 0 else ""
    return f"{sign}{abs(voltage_dv) // 10}.{abs(voltage_dv) % 10} V"


def amperes(*, current_ma: int) -> str:
    """A current with its hundredths."""
    sign = MINUS if current_ma < 0 else ""
    return f"{sign}{abs(current_ma) // 1000}.{abs(current_ma) % 1000 // 10:02d} A"


def _local(at_us: int, zone: str) -> datetime:
    return local_datetime(zone=zone, at_us=at_us)


def symbol(*, currency: str) -> str:
    """The sign of a currency, such as "¥"."""
    return format_money(micro=0, currency=currency, places=0)[:-1]


def error_per_cent(*, numerator: int, denominator: int) -> str:
    """A meter's error of numerator / denominator per mille in per cent, three decimals cut toward zero."""
    thousandths = abs(numerator) * 100 // denominator
    sign = MINUS if numerator < 0 else "+" if numerator else ""
    return f"{sign}{thousandths // 1000}.{thousandths % 1000:03d} %"
