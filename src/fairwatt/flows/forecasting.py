"""How long credit lasts: every wallet looked ahead from its own days of use, once a night and as money moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import numpy as np
from django.db import connection, transaction

from fairwatt.core.credit.terms import Merged
from fairwatt.core.ids import forecast_key
from fairwatt.core.insight.ahead.look import METHOD, PastUse, outlooks
from fairwatt.core.insight.ahead.outlook import Outlook
from fairwatt.core.insight.ahead.past_days import known_days
from fairwatt.core.insight.ahead.prices import SLOTS, Days, PricesAhead, days_around, prices_ahead
from fairwatt.core.insight.ahead.use import DAYS_AHEAD, DAYS_BACK, UNKNOWN, Ints
from fairwatt.core.insight.ahead.warning import warning_level_micro
from fairwatt.core.rating.accounts import for_account_over_time
from fairwatt.core.rating.elements.base import TariffError
from fairwatt.core.rating.model import NoTariff
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import local_day_start
from fairwatt.flows.credit_terms import rounded_level
from fairwatt.flows.posting.plans import Values, values_of_homes
from fairwatt.flows.tonight import held_now
from fairwatt.store import credit_rules, facts, forecasts
from fairwatt.store.models import Book, Installation, TariffPublication, Wallet

KIND: Final = "forecast"
_AT_ONCE: Final = 1_000
_LEVELS: Final = DAYS_AHEAD - 1


@dataclass(frozen=True, kw_only=True)
class Forecasted:
    """What a look ahead came to: wallets with a forecast, wallets too new for one, and levels of warning that moved."""

    wallets: int
    too_new: int
    levels_moved: int


def forecast_book(
    *, book_id: int, now_us: int, because: str, wallets: Sequence[int] | None = None
) -> Forecasted:
    """Forecast every wallet of a book, or some, and let the poster warn by it. Nothing is charged by it.

    Asked again on the same day it rests on the same days and the same draws: only the balance is another.
    """
    book = Book.objects.get(pk=book_id)
    days = days_around(zone=book.zone, at_us=now_us)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        homes = _Homes.of(cursor, book, days, wallets)
        ruled = credit_rules.has_rules(cursor=cursor, book=book_id)
        held = held_now(cursor=cursor, book=book, now_us=now_us).homes if ruled else {}
    done: set[int] = set()
    moved: set[int] = set()
    for some in homes.parts():
        made, changed = _forecast_some(book, homes, held, some, days, now_us, because)
        done |= made
        moved |= changed
    return Forecasted(wallets=len(done), too_new=len(homes.wallets) - len(done), levels_moved=len(moved))


def forecast_night(*, book_id: int, now_us: int) -> Forecasted | None:
    """Forecast a book for the local day that has begun; ``None`` where that was done already."""
    book = Book.objects.get(pk=book_id)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        if forecasts.looked_from(cursor=cursor, book=book_id) >= local_day_start(
            zone=book.zone, at_us=now_us
        ):
            return None
    return forecast_book(book_id=book_id, now_us=now_us, because="night")


def forecast_moved(*, book_id: int, now_us: int) -> int:
    """Forecast the wallets whose money moved since; return how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        wallets = forecasts.moved_since(cursor=cursor, book=book_id)
    if not wallets:
        return 0
    return forecast_book(book_id=book_id, now_us=now_us, because="credit", wallets=wallets).wallets


@transaction.atomic(durable=True)
def _forecast_some(
    book: Book,
    homes: _Homes,
    held: Mapping[int, Merged],
    wallets: Sequence[int],
    days: Days,
    now_us: int,
    because: str,
) -> tuple[set[int], set[int]]:
    seed = seed_of(book=book.pk, days=days)
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book.pk)
        past = homes.past(cursor, wallets)
        found = outlooks(past=past, prices=homes.prices, starts_us=days.starts_us, seed=seed)
        digests = _digests(past, homes)
        made = [
            forecasts.Made(
                wallet=wallet,
                available_micro=homes.balance[wallet],
                batch=homes.batch[wallet],
                outlook=told,
                range=told.range(available_micro=homes.balance[wallet], now_us=now_us),
                levels_micro=[warning_level_micro(outlook=told, days=n) for n in range(1, _LEVELS + 1)],
                inputs=digests[wallet],
            )
            for wallet, told in found.items()
        ]
        forecasts.save(
            cursor=cursor, book=book.pk, made=made, because=because, method=METHOD, seed=seed, now_us=now_us
        )
        moved = _levels_moved(held, made)
        if moved:
            facts.add(
                cursor=cursor,
                book=book.pk,
                kind=KIND,
                natural_key=forecast_key(made_us=now_us, first=min(moved)),
                wallet=None,
                payload={"wallets": sorted(moved)},
                raw=b"",
                now_us=now_us,
            )
    return set(found), moved


@dataclass(frozen=True, kw_only=True)
class Account:
    """The newest forecast of a wallet, those before it, and whether it comes out again from the days as they are now.

    ``agrees`` is ``None`` where the days it rests on have changed since: another answer is no fault then.
    """

    wallet: int
    zone: str
    currency: str
    newest: forecasts.Newest
    said: Sequence[forecasts.Said]
    agrees: bool | None


def account_of(*, book_id: int, wallet: int, limit: int = 30) -> Account | None:
    """What was forecast for a wallet, and the newest worked out again; `None` where nothing was. Reads."""
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book_id)
        book = Book.objects.filter(pk=book_id).first()
        found = forecasts.newest(cursor=cursor, book=book_id, wallets=[wallet])
        if book is None or wallet not in found:
            return None
        kept = found[wallet]
        said = forecasts.said(cursor=cursor, wallet=wallet, limit=limit)
        days = days_around(zone=book.zone, at_us=kept.made_us)
        homes = _Homes.of(cursor, book, days, [wallet])
        past = homes.past(cursor, [wallet] if wallet in homes.rows else [])
        again = outlooks(
            past=past, prices=homes.prices, starts_us=days.starts_us, seed=seed_of(book=book_id, days=days)
        ).get(wallet)
        same = _digests(past, homes).get(wallet) == said[0].inputs and said[0].method == METHOD
    agrees = again == kept.outlook if same else None
    return Account(
        wallet=wallet, zone=book.zone, currency=book.currency, newest=kept, said=said, agrees=agrees
    )


def newest_outlook(*, wallet: Wallet) -> Outlook | None:
    """The newest outlook of a wallet that the transaction may see."""
    with connection.cursor() as cursor:
        found = forecasts.newest(cursor=cursor, book=wallet.book_id, wallets=[wallet.pk])
    return found[wallet.pk].outlook if wallet.pk in found else None


def newest_outlooks(*, book: Book) -> dict[int, Outlook]:
    """The newest outlooks of a book's wallets, as far as the transaction may see them."""
    with connection.cursor() as cursor:
        found = forecasts.newest(cursor=cursor, book=book.pk)
    return {wallet: one.outlook for wallet, one in found.items()}


def seed_of(*, book: int, days: Days) -> int:
    """The seed of a book's forecasts on a local day: who doubts one draws the same again."""
    return book << 20 | days.today.toordinal()


def _levels_moved(held: Mapping[int, Merged], made: Sequence[forecasts.Made]) -> set[int]:
    """Wallets that are warned by days at another amount than before: the poster reads it, their gateways are told."""
    moved = set()
    for one in made:
        home = held.get(one.wallet)
        if home is None or not home.low_days:
            continue
        level = rounded_level(one.levels_micro[min(home.low_days, _LEVELS) - 1])
        known = home.by_days.level_micro if home.by_days is not None else 0
        if level != known and max(level, known) >= home.policy.low_micro:
            moved.add(one.wallet)
    return moved


def _digests(past: PastUse, homes: _Homes) -> dict[int, bytes]:
    """By wallet a digest of all that its forecast rests on besides seed and method."""
    running: dict[int, Any] = {}
    for n, wallet in enumerate(past.wallet.tolist()):
        digest = running.setdefault(wallet, sha256())
        for part in (
            past.energy_wh[n],
            past.shape[n],
            past.counter_wh[n],
            homes.prices_digest[int(past.prices[n])],
        ):
            digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    return {wallet: digest.digest()[:16] for wallet, digest in running.items()}


@dataclass(frozen=True, kw_only=True)
class _Homes:
    """The registers of a book that can be forecast, and what each is charged by."""

    book: Book
    days: Days
    rows: Mapping[int, Sequence[forecasts.Stand]]
    """by wallet"""
    priced: Mapping[int, int]
    """by installation: which prices"""
    prices: Sequence[PricesAhead]
    prices_digest: Sequence[bytes]
    opened_us: Mapping[int, int]
    """by wallet: since when it lives there"""
    balance: Mapping[int, int]
    batch: Mapping[int, int]

    @classmethod
    def of(cls, cursor: Any, book: Book, days: Days, wallets: Sequence[int] | None) -> _Homes:
        asked = None if wallets is None else set(wallets)
        homes = list(
            Installation.objects.filter(wallet__book=book, closed_us__isnull=True).select_related("wallet")
        )
        priced, prices, digests = _prices(book, homes, days, asked)
        rows: dict[int, list[forecasts.Stand]] = {}
        for one in forecasts.standing(cursor=cursor, book=book.pk):
            if one.installation in priced and (asked is None or one.wallet in asked):
                rows.setdefault(one.wallet, []).append(one)
        return cls(
            book=book,
            days=days,
            rows=rows,
            priced=priced,
            prices=prices,
            prices_digest=digests,
            opened_us={row.wallet_id: row.wallet.opened_us for row in homes},
            balance={wallet: some[0].balance_micro for wallet, some in rows.items()},
            batch={wallet: some[0].batch for wallet, some in rows.items()},
        )

    @property
    def wallets(self) -> list[int]:
        return sorted(self.rows)

    def parts(self) -> Iterator[list[int]]:
        wallets = self.wallets
        for begin in range(0, len(wallets), _AT_ONCE):
            yield wallets[begin : begin + _AT_ONCE]

    def past(self, cursor: Any, wallets: Sequence[int]) -> PastUse:
        """What these wallets used, register by register."""
        stands = [one for wallet in wallets for one in self.rows[wallet]]
        row_of = {one.installation: n for n, one in enumerate(stands)}
        energy = np.full((len(stands), DAYS_BACK), UNKNOWN, dtype=np.int64)
        close = np.ones((len(stands), DAYS_BACK), dtype=np.int64)
        shape = np.zeros((len(stands), 2, SLOTS), dtype=np.int64)
        today = np.zeros(len(stands), dtype=np.int64)
        alone = {
            some[0].wallet: row_of[some[0].installation] for w in wallets if len(some := self.rows[w]) == 1
        }
        self._of_wallets(cursor, alone, energy, close, shape, today)
        several = [wallet for wallet in wallets if len(self.rows[wallet]) > 1]
        if several:
            self._of_registers(cursor, several, row_of, energy, shape, today)
        since = np.array([self.opened_us[one.wallet] for one in stands], dtype=np.int64)
        whole = np.array(self.days.back_us[:-1], dtype=np.int64)[None] >= since[:, None]
        known = known_days(energy_wh=np.where(whole, energy, UNKNOWN), close_micro=close)
        prices = np.array([self.priced[one.installation] for one in stands], dtype=np.int64)
        counters = [
            max(0, one.counter_wh - used) if one.window_us == self.prices[ix].window_us else 0
            for one, used, ix in zip(stands, today.tolist(), prices.tolist(), strict=True)
        ]
        return PastUse(
            wallet=np.array([one.wallet for one in stands], dtype=np.int64),
            energy_wh=known,
            shape=shape,
            counter_wh=np.array(counters, dtype=np.int64),
            prices=prices,
        )

    def _of_wallets(
        self, cursor: Any, row_of: Mapping[int, int], energy: Ints, close: Ints, shape: Ints, today: Ints
    ) -> None:
        """From the cache of days, where a wallet has one register."""
        back, wallets = self.days.back_us, list(row_of)
        place = {day_us: n for n, day_us in enumerate(back)}
        used = forecasts.days_of_use(
            cursor=cursor, wallets=wallets, from_us=back[0], until_us=self.days.starts_us[1]
        )
        for wallet, day_us, energy_wh, close_micro in used:
            n = place.get(day_us)
            if n is not None and n < DAYS_BACK:
                energy[row_of[wallet], n], close[row_of[wallet], n] = energy_wh, close_micro
            elif n == DAYS_BACK:
                today[row_of[wallet]] = energy_wh
        shapes = forecasts.shapes_of_use(
            cursor=cursor,
            wallets=wallets,
            from_us=back[-forecasts.SHAPE_DAYS - 1],
            until_us=back[-1],
            zone=self.days.zone,
        )
        for wallet, weekend, slot, wh in shapes:
            shape[row_of[wallet], weekend, slot] = wh

    def _of_registers(
        self,
        cursor: Any,
        wallets: Sequence[int],
        row_of: Mapping[int, int],
        energy: Ints,
        shape: Ints,
        today: Ints,
    ) -> None:
        """From the lines, where registers share a wallet: days of a wallet add up kWh and litres."""
        weekends = np.array([kind >= 5 for kind in self.prices[0].kinds_back.tolist()], dtype=np.int64)
        used = forecasts.days_of_registers(
            cursor=cursor,
            book=self.book.pk,
            wallets=wallets,
            starts_us=(*self.days.back_us, self.days.starts_us[1]),
        )
        for installation, day, slot, wh in used:
            row = row_of.get(installation)
            if row is None:
                continue
            if day == DAYS_BACK:
                today[row] += wh
                continue
            energy[row, day] = max(0, energy[row, day]) + wh
            if day >= DAYS_BACK - forecasts.SHAPE_DAYS:
                shape[row, weekends[day], slot] += max(0, wh)


def _prices(
    book: Book, homes: Sequence[Installation], days: Days, wallets: set[int] | None
) -> tuple[dict[int, int], list[PricesAhead], list[bytes]]:
    """By installation which prices; homes whose tariff cannot be read, or is not in force, have none."""
    newest = TariffPublication.objects.filter(plan__book=book).order_by("plan_id", "-pk").distinct("plan_id")
    texts = {row.plan_id: row.text for row in newest}
    values = values_of_homes(book, homes)
    number: dict[tuple[int, Values], int | None] = {}
    priced: dict[int, int] = {}
    prices: list[PricesAhead] = []
    digests: list[bytes] = []
    for row in homes:
        if row.plan_id not in texts or (wallets is not None and row.wallet_id not in wallets):
            continue
        key = row.plan_id, values.get(row.pk, ())
        if key not in number:
            try:
                schedule = for_account_over_time(parse_schedule(texts[row.plan_id]), key[1])
                made = prices_ahead(schedule=schedule, days=days)
            except (TariffError, NoTariff, ValueError):
                number[key] = None  # the poster raises the alarm; such a home is not charged either
                continue
            number[key] = len(prices)
            prices.append(made)
            digests.append(sha256(repr((texts[row.plan_id], key[1])).encode()).digest())
        if (ix := number[key]) is not None:
            priced[row.pk] = ix
    return priced, prices, digests
