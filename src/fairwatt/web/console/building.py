"""The building as its units: one state each, told by shape and word, and the reason behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.insight.ahead.outlook import Outlook
from fairwatt.core.units import US_PER_DAY, US_PER_MINUTE
from fairwatt.flows.forecasting import newest_outlooks
from fairwatt.store.models import Book, Installation, RegisterHead, Site, Unit, WalletHead
from fairwatt.web.darkness import is_off
from fairwatt.web.forecast import HORIZON_DAYS, Forecast, Pace, days_until, from_outlook

SILENT_AFTER_US: Final = 45 * US_PER_MINUTE
SOON_DAYS: Final = 3

STATES: Final[Mapping[str, str | Promise]] = {
    "on": _("on"),
    "low": _("low credit, with days left"),
    "kept": _("out of credit, kept on"),
    "cut": _("cut"),
    "silent": _("meter silent"),
    "vacant": _("vacant"),
}


@dataclass(frozen=True, kw_only=True)
class Square:
    """One unit on the wall."""

    unit: Unit
    state: str
    days_left: int | None
    balance_micro: int
    available_micro: int
    power_w: int
    read_us: int
    reason: str
    relay_open: bool
    by_credit: bool
    wallet: int | None
    fewest: int | None = None
    """the range of eight of ten cases, in days; `most` is None beyond what is looked at"""
    most: int | None = None

    @property
    def range_words(self) -> str:
        """The range in words; nothing without a forecast, or where it is one number."""
        if self.fewest is None or self.fewest == self.most:
            return ""
        if self.most is None:
            return gettext("%(fewest)d or more") % {"fewest": self.fewest}
        return gettext("%(fewest)d to %(most)d") % {"fewest": self.fewest, "most": self.most}

    @property
    def state_words(self) -> str:
        """The state in words, for the label and for those who do not see the colour."""
        if self.state == "low" and self.days_left is not None:
            return ngettext("low credit, %(n)d day left", "low credit, %(n)d days left", self.days_left) % {
                "n": self.days_left
            }
        return str(STATES[self.state])

    @property
    def sign(self) -> str:
        """The mark below the number, so that colour is never alone: the days left, or what happened."""
        if self.state in ("on", "low"):
            if self.days_left is None:
                return ""
            return str(self.days_left) if self.days_left < HORIZON_DAYS else f"{HORIZON_DAYS}+"
        return {"cut": "✕", "kept": "!", "silent": "?"}.get(self.state, "")


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The units of one floor, by position; `None` where the floor has no unit."""

    number: int
    squares: tuple[Square | None, ...]


@dataclass(frozen=True, kw_only=True)
class Building:
    """A site as floors, top first."""

    site: Site
    floors: tuple[Floor, ...]
    columns: int


def squares_of(*, book: Book, now_us: int, today_us: int) -> list[Square]:
    """The state of every unit of a book. Call it inside `seeing` with the whole book in scope."""
    units = list(
        Unit.objects.filter(site__book=book)
        .select_related("site__book")
        .order_by("site_id", "floor", "position")
    )
    wallets = {
        row.unit_id: row.wallet_id
        for row in Installation.objects.filter(unit__site__book=book, closed_us__isnull=True).only(
            "unit", "wallet"
        )
    }
    heads = {head.wallet: head for head in WalletHead.objects.filter(book=book.id)}
    registers: dict[int, list[RegisterHead]] = {}
    for register in RegisterHead.objects.filter(book=book.id):
        registers.setdefault(register.wallet, []).append(register)
    means = _mean_days(book.id, today_us)
    ahead = newest_outlooks(book=book)
    made = []
    for unit in units:
        wallet = wallets.get(unit.id)
        made.append(
            _square(
                unit,
                wallet,
                heads.get(wallet) if wallet is not None else None,
                registers.get(wallet, []) if wallet is not None else [],
                means.get(wallet, 0) if wallet is not None else 0,
                ahead.get(wallet) if wallet is not None else None,
                now_us,
            )
        )
    return made


def _square(
    unit: Unit,
    wallet: int | None,
    head: WalletHead | None,
    registers: Sequence[RegisterHead],
    mean: int,
    ahead: Outlook | None,
    now_us: int,
) -> Square:
    balance = head.balance_micro if head else 0
    available = balance
    read_us = max((register.at_us for register in registers), default=0)
    relay_open = is_off(head=head, registers=registers)
    zone = unit.site.book.zone
    days_left = _days_left(max(0, available), mean, now_us, zone)
    fewest = most = None
    told = _told(ahead, available, mean, now_us, zone)
    if told is not None:
        days_left = told.days_left
        ends = [
            None if end_us is None else days_until(zone=zone, now_us=now_us, end_us=end_us)
            for end_us in (told.early_us, told.late_us)
        ]
        fewest, most = ends
    if unit.vacant or wallet is None:
        state = "vacant"
    elif relay_open:
        state = "cut"
    elif now_us - read_us > SILENT_AFTER_US:
        state = "silent"
    elif available <= 0:
        state = "kept"
    elif (days_left is not None and days_left <= SOON_DAYS) or (head is not None and head.level > 0):
        state = "low"
    else:
        state = "on"
    return Square(
        unit=unit,
        state=state,
        days_left=days_left,
        balance_micro=balance,
        available_micro=available,
        power_w=sum(register.power_w for register in registers),
        read_us=read_us,
        reason=head.withheld if head else "",
        relay_open=relay_open,
        by_credit=bool(head and head.cut_by_credit),
        wallet=wallet,
        fewest=fewest,
        most=most,
    )


def _told(ahead: Outlook | None, available: int, mean: int, now_us: int, zone: str) -> Forecast | None:
    """What the resident reads, where there is a forecast."""
    if ahead is None:
        return None
    pace = Pace(days=0, mean_micro=mean, variance=0)
    return from_outlook(outlook=ahead, available_micro=available, pace=pace, now_us=now_us, zone=zone)


def _days_left(available: int, mean: int, now_us: int, zone: str) -> int | None:
    """By plain days, while nothing is forecast; beyond the horizon the plain quotient."""
    if mean <= 0:
        return None
    left_us = available * US_PER_DAY // mean
    if left_us > HORIZON_DAYS * US_PER_DAY:
        return available // mean
    return days_until(zone=zone, now_us=now_us, end_us=now_us + left_us)


def _mean_days(book: int, today_us: int) -> dict[int, int]:
    """What a day costs each wallet: the mean of its last fourteen whole days."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wallet, sum(cost_micro)::bigint / count(*) FROM use_day"
            " WHERE book = %s AND day_us >= %s AND day_us < %s GROUP BY wallet",
            [book, today_us - 14 * US_PER_DAY - US_PER_DAY // 2, today_us],
        )
        return {int(wallet): int(mean) for wallet, mean in cursor.fetchall()}


def buildings(squares: Sequence[Square]) -> list[Building]:
    """Arrange squares into sites and floors as they stand."""
    sites: dict[int, list[Square]] = {}
    for square in squares:
        sites.setdefault(square.unit.site_id, []).append(square)
    made = []
    for members in sites.values():
        columns = max(square.unit.position for square in members)
        numbers = sorted({square.unit.floor for square in members}, reverse=True)
        floors = []
        for number in numbers:
            row: list[Square | None] = [None] * columns
            for square in members:
                if square.unit.floor == number:
                    row[square.unit.position - 1] = square
            floors.append(Floor(number=number, squares=tuple(row)))
        made.append(Building(site=members[0].unit.site, floors=tuple(floors), columns=columns))
    return made
