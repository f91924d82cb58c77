"""What a message says: the home, what is left, when it ends, and what it takes to have supply again."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

from fairwatt.core.credit.owing import least_to_restore
from fairwatt.core.notices.icu import Value
from fairwatt.core.notices.model import Step
from fairwatt.core.spans import local_datetime
from fairwatt.core.units import US_PER_DAY, US_PER_HOUR, format_money, micro_from_minor
from fairwatt.flows.posting.lending import week_start
from fairwatt.store import credit_entries, forecasts
from fairwatt.store.credit_entries import NOTHING
from fairwatt.store.models import Book, Wallet, WalletHead

_BECAUSE: Final = {
    "en": {
        "no_contact": "no address is known",
        "no_receipt": "no message arrived",
        "cut_unreached": "supply is being cut and no message arrived",
        "declined": "the bank refused the card",
        "needs_you": "the bank wants you to confirm it yourself",
        "limit_times": "the number you allow in a month is reached",
        "limit_money": "the most you allow in a month is reached",
        "not_let_in": "the amount is not let in by the rules of the home",
        "way_closed": "the supplier takes no payments this way just now",
        "three_failures": "the card was refused three times in a row",
        "moved_out": "whoever agreed lives there no more",
    },
    "zh-hans": {
        "no_contact": "没有联系方式",
        "no_receipt": "没有一条通知送达",
        "cut_unreached": "正在断供且没有通知送达",
        "declined": "银行拒绝了该卡",
        "needs_you": "银行要求您本人确认",
        "limit_times": "已达到您设定的每月次数",
        "limit_money": "已达到您设定的每月金额上限",
        "not_let_in": "该金额不符合本户的充值规则",
        "way_closed": "供电方目前未开通此方式",
        "three_failures": "该卡连续三次被拒",
        "moved_out": "签约人已不在此居住",
    },
}


def place_of(*, wallet: Wallet, language: str) -> str:
    """Building and home, as a person of that language writes them."""
    site = wallet.unit.site
    return f"{site.name_zh if language.startswith('zh') and site.name_zh else site.name} {wallet.unit.label}"


def money(*, micro: int, book: Book) -> str:
    """An amount, with a true minus sign before the symbol."""
    return format_money(micro=micro, currency=book.currency).replace("-", "−")


def values_of(
    *,
    cursor: Any,
    step: Step,
    wallet: Wallet | None,
    book: Book,
    about: dict[str, Any],
    language: str,
    link: str,
    now_us: int,
) -> dict[str, Value]:
    """Everything that the words of a step may name. The transaction sees the book."""
    values: dict[str, Value] = {"organisation": book.organisation.name, "link": link}
    values |= {
        name: value for name, value in about.items() if isinstance(value, str) and name in ("code", "address")
    }
    if wallet is None:
        return values | {"home": book.organisation.name, "what": str(about.get("reason", ""))}
    head = WalletHead.objects.filter(wallet=wallet.pk).first()
    # The event's own figure where it has one: what a message says of an instant is what was decided then.
    told = about.get("available_micro")
    available = told if type(told) is int and step is not Step.BALANCE else head.balance_micro if head else 0
    values |= {
        "home": place_of(wallet=wallet, language=language),
        "balance": money(micro=available, book=book),
        "date": _clock(book, now_us, language, day=True),
        "what": str(about.get("reason", "")),
        "because": _BECAUSE[language].get(str(about.get("because")), ""),
    }
    if step in (Step.EMPTY, Step.CUT):
        values["amount"] = _least(cursor, wallet, available, now_us)
    if step in (Step.EMERGENCY, Step.AUTO) and type(about.get("amount_micro")) is int:
        values["amount"] = money(micro=about["amount_micro"], book=book)
    if step in (Step.CONTRACT, Step.ENDED):
        end_us = about.get("end_us", about.get("contract_end_us"))
        values["date"] = _clock(book, end_us if type(end_us) is int else now_us, language, day=True)
    if step in (Step.DAYS, Step.DAY, Step.HOURS):
        values |= _ends(cursor, wallet, available, about, language, now_us)
    return values


def _least(cursor: Any, wallet: Wallet, available_micro: int, now_us: int) -> str:
    """The least payment after which credit is above zero: emergency credit and debts take their part first."""
    book = wallet.book
    week_us = week_start(zone=book.zone, at_us=now_us)
    owed = credit_entries.owing(
        cursor=cursor, book=book.pk, week_us=week_us, now_us=now_us, wallets=[wallet.pk]
    )
    mine = owed.get(wallet.pk, NOTHING)
    minor_micro = micro_from_minor(amount_minor=1, minor_digits=book.minor_digits)
    least = least_to_restore(
        available_micro=available_micro,
        emergency_owed_micro=mine.emergency_micro,
        debts=mine.debts,
        minor_micro=minor_micro,
    )
    return money(micro=(least or 1) * minor_micro, book=book)


def _ends(
    cursor: Any, wallet: Wallet, available_micro: int, about: dict[str, Any], language: str, now_us: int
) -> dict[str, Value]:
    """When credit ends by the newest forecast; a warning by days names the days it was given for where there
    is none."""
    newest = forecasts.newest(cursor=cursor, book=wallet.book_id, wallets=[wallet.pk]).get(wallet.pk)
    said = about.get("days")
    end_us = (
        None
        if newest is None
        else newest.outlook.range(available_micro=available_micro, now_us=now_us).mid_us
    )
    if end_us is None:
        end_us = now_us + (said if type(said) is int else 1) * US_PER_DAY
    left_us = max(0, end_us - now_us)
    return {
        "days": max(1, (left_us + US_PER_DAY // 2) // US_PER_DAY),
        "hours": max(1, (left_us + US_PER_HOUR // 2) // US_PER_HOUR),
        "time": _clock(wallet.book, end_us, language),
    }


_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def _clock(book: Book, at_us: int, language: str, *, day: bool = False) -> str:
    at = local_datetime(zone=book.zone, at_us=at_us)
    if not day:
        return f"{at:%H:%M}"
    return (
        f"{at.month}月{at.day}日 {at:%H:%M}"
        if language.startswith("zh")
        else f"{at.day} {_MONTHS[at.month - 1]} {at:%H:%M}"
    )


def wallet_with_home(*, wallet: int | None) -> Wallet | None:
    """The wallet with its book, organisation, building and home."""
    if wallet is None or connection.needs_rollback:
        return None
    return Wallet.objects.select_related("book__organisation", "unit__site").filter(pk=wallet).first()
