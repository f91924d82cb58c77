"""What a crash may forget: whose turn it is. What it may not: that an order was tried, and money."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from support.house import as_role
from support.till import Till, at


@at("wechat")
def test_only_a_try_and_money_wait_for_the_disk(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairwatt.flows import collecting

    seen: list[str] = []
    write = collecting._write

    def noted(*args: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            seen.append(cursor.fetchone()[0])
        write(*args)

    monkeypatch.setattr(collecting, "_write", noted)
    ref, order = till.made()
    assert seen == ["on", "on"], "taken to be made, and made"
    number, collector = till.intent(ref).pk, till.collector()
    with as_role("collector"):
        collector.ask(intent_id=number, hinted=True)
    assert seen[2:] == ["off", "off"], "taken to be asked about, and not paid yet"
    till.world.pay(order)
    with as_role("collector"):
        collector.ask(intent_id=number, hinted=True)
    assert seen[4:] == ["off", "on"], "taken, and paid"
    assert till.intent(ref).state == "paid"
