"""What the prices of a home depend on: persons in the household, sanctioned kW and the like, each from a day on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from fairwatt.core.ids import account_values_key
from fairwatt.core.ledger.model import Kind
from fairwatt.core.rating.accounts import (
    VACANT,
    AccountValue,
    for_account_over_time,
    spares_vacant,
    values_of,
)
from fairwatt.core.rating.elements.base import TariffError
from fairwatt.core.rating.model import Schedule
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.core.spans import to_datetime
from fairwatt.flows.provision import check_grantable
from fairwatt.store import accounts, facts
from fairwatt.store.models import AccountParameter, Installation, TariffPublication


class AccountValueRefused(ValueError):
    """A parameter that the tariff does not ask for, or from a day on that was charged already; nothing changed."""


@transaction.atomic(durable=True)
def set_account_values(
    *, installation_id: int, values: Mapping[str, int], from_us: int, author: str, now_us: int
) -> int:
    """Note what the prices of a home depend on from an instant on, in thousandths; return the fact for its poster.

    For the role that commissions. Before anything was charged a home's values hold from its opening, later only from
    now on: use is charged under what held on its day. Raises AccountValueRefused.
    """
    home = Installation.objects.select_related("wallet", "plan").get(pk=installation_id)
    book = home.wallet.book_id
    newest = TariffPublication.objects.filter(plan=home.plan).order_by("-pk").first()
    if newest is None or home.closed_us is not None or not values or not author.strip():
        raise AccountValueRefused(
            "Nothing was changed: the home is closed or has no published tariff, or no value or author was given."
        )
    with connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=book)
        if from_us < now_us:
            from_us = _from_opening(cursor, home, from_us)
        known = accounts.values_of_installation(cursor=cursor, installation=home.pk)
        fresh = [AccountValue(from_us, name, milli) for name, milli in values.items()]
        _check(parse_schedule(newest.text), home, [*known, *fresh], fresh, now_us)
        rows = AccountParameter.objects.bulk_create(
            AccountParameter(
                book=book,
                wallet=home.wallet_id,
                installation=home,
                name=value.name,
                from_us=value.from_us,
                value_milli=value.value_milli,
                created_us=now_us,
                author=author.strip(),
            )
            for value in fresh
        )
        cursor.execute(
            "INSERT INTO event (book, at_us, kind, wallet, reason, rule, evidence, batch) "
            "VALUES (%s, %s, 'desk.account_values', %s, '', '', %s::jsonb, 0)",
            [book, now_us, home.wallet_id, _evidence(home, fresh, author)],
        )
        fact, _ = facts.add(
            cursor=cursor,
            book=book,
            kind="config",
            natural_key=account_values_key(row=rows[0].pk),
            wallet=None,
            payload={"wallets": [home.wallet_id]},
            raw=b"",
            now_us=now_us,
        )
    return fact


def _from_opening(cursor: Any, home: Installation, from_us: int) -> int:
    """The opening, for a home that was charged nothing yet."""
    cursor.execute(
        "SELECT EXISTS (SELECT 1 FROM line WHERE wallet = %s AND ref = %s AND kind = %s AND ts >= %s)",
        [home.wallet_id, home.pk, Kind.READING, to_datetime(home.opened_us)],
    )
    (charged,) = cursor.fetchone()
    if charged or from_us < home.opened_us:
        raise AccountValueRefused(
            "Nothing was changed: the home was charged under what held until now, and past use stays charged as it "
            "was. Give a day that is still to come."
        )
    return home.opened_us


def _check(
    schedule: Schedule,
    home: Installation,
    values: list[AccountValue],
    fresh: list[AccountValue],
    now_us: int,
) -> None:
    """The tariff must ask for them, be chargeable with them, and still fit into a grant."""
    try:
        for value in fresh:
            if value.value_milli < 0:
                raise AccountValueRefused(f"Nothing was changed: {value.name} is below zero.")
            if value.name != VACANT or not spares_vacant(schedule):
                schedule.for_account({value.name: value.value_milli})
        mine = values_of(
            values,
            schedule=schedule,
            opened_us=home.opened_us,
            started_us=home.wallet.opened_us,
            transformer=home.transformer,
        )
        resolved = for_account_over_time(schedule, mine)
    except (TariffError, StopIteration) as error:
        raise AccountValueRefused(
            f"Nothing was changed: {error or 'no price band of the tariff holds for such a value'}."
        ) from error
    check_grantable(home.plan.slug, resolved, now_us)


def _evidence(home: Installation, fresh: list[AccountValue], author: str) -> str:
    said = {"installation": home.pk, "author": author.strip(), "from_us": fresh[0].from_us}
    return json.dumps({**said, "values_milli": {value.name: value.value_milli for value in fresh}})
