"""What is said of a gateway's clock beside a charge: how far it was off, and what that could mean in money."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext, ngettext

from fairwatt.core.units import US_PER_SECOND
from fairwatt.flows.explaining.account import LineAccount
from fairwatt.web.design import format as text

TOLD_FROM_S: Final = 30
"""From how many seconds on a sentence speaks of a clock that moved no money; the steps always name it."""


def clock_offset(account: LineAccount) -> str:
    """How far the clock was ahead of ours or behind it, in whole seconds."""
    if account.clock is None:
        return gettext("offset not recorded")
    seconds = abs(account.clock.ahead_us) // US_PER_SECOND
    if not seconds:
        return gettext("within a second of ours")
    if account.clock.ahead_us > 0:
        said = ngettext("%(n)d second ahead of ours", "%(n)d seconds ahead of ours", seconds)
    else:
        said = ngettext(
            "%(n)d second behind ours, the way of its message included",
            "%(n)d seconds behind ours, the way of its message included",
            seconds,
        )
    return said % {"n": seconds}


def clock_in_money(account: LineAccount) -> str:
    """What the use would have cost had it been read by our clock; empty where the offset says nothing."""
    clock = account.clock
    if clock is None or abs(clock.ahead_us) < US_PER_SECOND:
        return ""
    if clock.costs_nano is None:
        return gettext(
            "a counting period began around then, so by our clock some of it may count in the other one"
        )
    if not clock.costs_nano:
        return gettext("by our clock this use costs the same")
    said = (
        gettext("by our clock this use would have cost %(amount)s more before tax")
        if clock.costs_nano > 0
        else gettext("by our clock this use would have cost %(amount)s less before tax")
    )
    return said % {"amount": text.exact(nano=abs(clock.costs_nano), currency=account.currency)}


def of_the_clock(account: LineAccount) -> str:
    """A sentence on the clock where it could matter to somebody, else nothing."""
    clock = account.clock
    if clock is None or abs(clock.ahead_us) < US_PER_SECOND:
        return ""
    if clock.costs_nano == 0 and abs(clock.ahead_us) < TOLD_FROM_S * US_PER_SECOND:
        return ""
    return " " + gettext("When it sent this reading, the gateway's clock was %(offset)s; %(money)s.") % {
        "offset": clock_offset(account),
        "money": clock_in_money(account),
    }
