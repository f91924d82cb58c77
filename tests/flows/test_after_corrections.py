"""What is read of the ledger after something was set right: it counts where it belongs, and old lines still explain."""

from __future__ import annotations

import json

from fairwatt.core.spans import local_day_start
from flows.test_tariff_corrections import wrong
from support.corrections import confirm, drain, edit, live_on, place
from support.desk import Desk, opened_desk
from support.house import as_role
from support.street import DAY_US, HOUR_US, NOON_US, Street

__all__ = ["wrong"]  # the fixture: homes charged under a wrong tariff


def test_a_correction_counts_in_the_span_of_the_day_it_sets_right(desk: Desk) -> None:
    """Edited weeks later, use and charge still belong to the day of the reading: for bills, shares and losses alike."""
    from django.db import connection, transaction

    from fairwatt.store import facts
    from fairwatt.store.charged import charged_in

    meter = desk.home()
    for hour, wh in ((9, 9_000), (14, 30_000), (20, 31_000)):
        desk.read(meter, NOON_US + hour * HOUR_US, wh)
    later_us = NOON_US + 30 * DAY_US
    edit(desk, NOON_US + 20 * HOUR_US, 40_000, now_us=later_us)
    desk.post(now_us=later_us)
    lines = desk.lines()
    set_right = [line for line in lines if line.kind == 3]
    assert set_right and all(int(line.ts.timestamp()) * 1_000_000 >= later_us for line in set_right)
    with transaction.atomic(), connection.cursor() as cursor:
        facts.see_book(cursor=cursor, book=desk.street.book)

        def sums(start_us: int, end_us: int) -> tuple[int, int]:
            found = charged_in(
                cursor=cursor, book=desk.street.book, kinds=[1, 3, 7], start_us=start_us, end_us=end_us
            )
            return sum(row.energy_wh for row in found), sum(row.charged_micro for row in found)

        midnight = local_day_start(zone="Europe/London", at_us=NOON_US)
        assert sums(midnight, midnight + 7 * DAY_US) == (40_000, -sum(line.amount_micro for line in lines))
        assert sums(midnight + 7 * DAY_US, midnight + 40 * DAY_US) == (0, 0)


def test_the_fee_report_names_the_prices_of_every_reading_also_after_a_correction(wrong: Street) -> None:
    """Readings are rated on the ground they were charged on; a fact with the id of a register is no reading of it."""
    from fairwatt.core.ledger.model import Kind
    from fairwatt.reports.asking import Ask
    from fairwatt.reports.making import make, report_named

    now = NOON_US + 60 * DAY_US
    with opened_desk(wrong) as desk:
        live_on(desk, days=range(3))
        drain(desk, confirm(wrong, place(wrong)), now_us=now)
        desk.open(now_us=now)
        live_on(desk, days=range(61, 63))
        desk.pay(wrong.homes[0], 5_00, now_us=now + 4 * DAY_US)
        desk.post(now_us=now + 4 * DAY_US)
        lines = desk.lines()
    after_us = now + 5 * DAY_US
    wallets = {line.wallet for line in lines if line.kind == Kind.READING and line.energy_micro}
    for wallet in wallets:
        ask = Ask(book=wrong.book, wallet=wallet, start_us=wrong.opened_us, end_us=after_us, now_us=after_us)
        with as_role("web"), make(report=report_named(name="fees"), ask=ask, form="json").file as file:
            table = json.load(file)["tables"][0]
        keys = [column["key"] for column in table["columns"]]
        rows = [dict(zip(keys, row, strict=True)) for row in table["rows"]]
        read = [row for row in rows if row["kind"] == "1" and row["energy_wh"]]
        assert read and all(row["prices"] for row in read), rows
