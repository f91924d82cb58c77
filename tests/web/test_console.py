"""The console tells the truth about a book, and says first whether anybody is needed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from web.meters import meter_of
from web.scene import NOW_US, PROTECTED, SILENT, VACANT, Scene


@pytest.fixture
def today(scene: Scene) -> Any:
    from fairwatt.store.models import Book
    from fairwatt.web.console import queries

    return queries.today(book=Book.objects.get(pk=scene.book), now_us=NOW_US)


def state_at(today: Any, position: int) -> str:
    label = f"{1 + position // 10:02d}{1 + position % 10:02d}"
    return str(next(square.state for square in today.squares if square.unit.label == label))


def test_each_home_shows_its_state(today: Any) -> None:
    assert {state_at(today, n) for n in VACANT} == {"vacant"}
    assert {state_at(today, n) for n in SILENT} == {"silent"}
    assert state_at(today, PROTECTED) == "kept"
    assert len(today.squares) == 60


def test_the_money_held_is_the_sum_of_the_wallets(scene: Scene, today: Any) -> None:
    from fairwatt.store.models import WalletHead
    from support.house import as_role

    with as_role("poster"):
        balances = list(WalletHead.objects.filter(book=scene.book).values_list("balance_micro", flat=True))
    assert today.held_micro - today.owed_micro == sum(balances)


def test_the_month_goes_from_its_opening_to_what_is_held(scene: Scene, today: Any) -> None:
    from fairwatt.store.models import Book
    from fairwatt.web.console.queries import month_money

    opening, moved, held = month_money(book=Book.objects.get(pk=scene.book), now_us=NOW_US)
    assert opening + sum(micro for _, micro in moved) == held
    assert held == today.held_micro - today.owed_micro


def test_top_ups_of_the_month_are_what_was_paid_whatever_a_provider_keeps_of_it() -> None:
    from fairwatt.web.console.charts import money_rows

    moved = [
        *(("cash:over-short", -2), ("clearing:alipay", 90), ("clearing:cash", 42)),
        *(("cost:providers", 10), ("revenue:energy", -60), ("rounding", 0)),
    ]
    assert money_rows(opening=5, moved=moved, held=85) == [
        ("at the start", 5, True),
        ("top-ups", 140, False),
        ("energy", -60, False),
        ("held now", 85, True),
    ]


def test_no_account_of_the_journal_is_shown_by_its_code() -> None:
    from fairwatt.core.ledger import model
    from fairwatt.reports.accounts import ACCOUNTS, account_class
    from fairwatt.web.console.charts import money_rows

    providers = {model.DRAWER, model.WINDOW}
    accounts = {v for k, v in vars(model).items() if k.isupper() and isinstance(v, str)} - providers
    accounts = {f"{one}late" if one.endswith(":") else one for one in accounts}
    assert len(accounts) > 20
    assert {one for one in accounts if account_class(one) not in ACCOUNTS} == set()
    shown = money_rows(opening=0, moved=[(one, 1) for one in accounts - {model.WALLET}], held=0)
    assert {name for name, _, _ in shown} & accounts - {"rounding"} == set()


def test_the_load_of_today_stops_where_readings_stop(scene: Scene) -> None:
    from fairwatt.store.models import Book
    from fairwatt.web.console.queries import load

    now, before = load(book=Book.objects.get(pk=scene.book), now_us=NOW_US)
    assert now[36] is not None and now[37] is None
    assert all(watts is not None for watts in before)


def test_what_cannot_be_right_is_counted_and_listed_with_its_next_step(
    scene: Scene, today: Any, signed_in: Any
) -> None:
    assert today.quarantined == today.quarantined_today == 2
    page = signed_in(scene.operator).get(f"/console/{scene.slug}/quarantine/").content.decode()
    assert "The register went backward" in page
    assert "Link the meter to its home" in page


def counted(scene: Scene, *, now_us: int) -> tuple[int, str]:
    """How much waits, and the sentence at the top. Refunds and calls of other tests are not the scene's own."""
    from dataclasses import replace

    from fairwatt.store.models import Book
    from fairwatt.web.console.needs import headline, needs
    from fairwatt.web.console.queries import today

    page = today(book=Book.objects.get(pk=scene.book), now_us=now_us)
    return len(needs(today=replace(page, refunds=0, calls=0))), headline(waiting=needs(today=page))


def test_the_headline_counts_what_waits(scene: Scene, signed_in: Any) -> None:
    waiting, sentence = counted(scene, now_us=NOW_US)
    page = signed_in(scene.operator).get(f"/console/{scene.slug}/").content.decode()
    assert waiting == 1
    assert f"{sentence}</h1>" in page


def test_a_silent_gateway_needs_somebody(scene: Scene, signed_in: Any, clock: Any) -> None:
    clock.at_us = NOW_US + 20 * 60_000_000
    waiting, sentence = counted(scene, now_us=clock.at_us)
    page = signed_in(scene.operator).get(f"/console/{scene.slug}/").content.decode()
    assert waiting == 2
    assert f"{sentence}</h1>" in page
    assert "A gateway is silent" in page


def test_what_is_not_heard_is_not_said_to_have_power(
    scene: Scene, today: Any, signed_in: Any, clock: Any
) -> None:
    def said(unknown: int) -> str:
        if not today.dark:  # another test has switched the dark home on
            return f"heard; of {unknown} it is not known"
        return f"{today.dark_by_credit} out of credit, of {unknown} more it is not known"

    page = " ".join(signed_in(scene.operator).get(f"/console/{scene.slug}/").content.decode().split())
    assert "every home has power" not in page and "as far as meters are heard" in page
    assert said(len(SILENT)) in page
    clock.at_us = NOW_US + 48 * 60 * 60_000_000
    page = " ".join(signed_in(scene.operator).get(f"/console/{scene.slug}/").content.decode().split())
    let = len(today.squares) - len(VACANT)
    assert said(let - len(today.dark)) in page, "all but those that are off"


def test_a_home_not_heard_today_has_no_use_that_is_known(scene: Scene, signed_in: Any, clock: Any) -> None:
    from fairwatt.store.models import Wallet

    unit = Wallet.objects.get(pk=scene.wallets[3]).unit_id
    url = f"/console/{scene.slug}/unit/{unit}/"
    assert "<dd>not known</dd>" not in signed_in(scene.operator).get(url).content.decode()
    clock.at_us = NOW_US + 48 * 60 * 60_000_000
    page = signed_in(scene.operator).get(url).content.decode()
    assert page.count("<dd>not known</dd>") == 2, "neither energy nor cost"


def test_a_gateway_that_was_never_heard_is_named(house: Any, signed_in: Any, clock: Any) -> None:
    fresh = Scene(floors=1, columns=1)
    clock.at_us = fresh.opened_us
    page = signed_in(fresh.operator).get(f"/console/{fresh.slug}/").content.decode()
    assert "last heard never" in page
    assert "Nothing yet." in page


def test_a_quiet_book_needs_nobody(today: Any) -> None:
    from dataclasses import replace

    from fairwatt.web.console.needs import headline, needs

    quiet = replace(
        today, offline=(), stuck=0, reviews=(), quarantined_today=0, refunds=0, calls=0, squares=()
    )
    assert needs(today=quiet) == []
    assert headline(waiting=[]) == "Nothing needs you right now"


def test_a_unit_is_a_panel_inside_the_page_and_a_page_by_itself(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Unit

    unit = Unit.objects.get(site=scene.site, label=scene.labels[0])
    client = signed_in(scene.operator)
    panel = client.get(
        f"/console/{scene.slug}/unit/{unit.pk}/", headers={"HX-Request": "true"}
    ).content.decode()
    assert "<html" not in panel and "Lin Mei" in panel
    assert "<html" in client.get(f"/console/{scene.slug}/unit/{unit.pk}/").content.decode()


def test_a_unit_of_another_book_is_not_found_under_ours(scene: Scene, other: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Unit

    theirs = Unit.objects.get(site=other.site, label="0101")
    assert signed_in(scene.operator).get(f"/console/{scene.slug}/unit/{theirs.pk}/").status_code == 404


def test_a_relay_order_is_proved_only_by_its_own_order(today: Any) -> None:
    proofs = {item.event.kind: item.proof for item in today.happened}
    assert proofs.get("supply.cut", "proven") == "proven"
    assert all(proof == "" for kind, proof in proofs.items() if not kind.startswith("supply."))


def test_every_page_of_the_console_stands_under_one_heading(scene: Scene, signed_in: Any) -> None:
    client = signed_in(scene.operator)

    def here(path: str) -> list[str]:
        nav = re.search(
            r"<nav aria-label=\"Console\">.*?</nav>", client.get(path).content.decode(), re.DOTALL
        )
        assert nav is not None, path
        return re.findall(r'href="([^"]+)" aria-current="page"', nav[0])

    first = client.get(f"/console/{scene.slug}/").content.decode()
    paths = re.findall(
        r'href="([^"]+)"', re.findall(r"<nav aria-label=\"Console\">.*?</nav>", first, re.DOTALL)[0]
    )
    assert len(paths) > 15
    assert {path: here(path) for path in paths} == {path: [path] for path in paths}
    assert here(f"/console/{scene.slug}/meters/{meter_of(scene, 0).pk}/") == [
        f"/console/{scene.slug}/meters/"
    ]


@pytest.mark.parametrize(
    ("relays", "cut", "off"),
    [
        ((1,), False, False),
        ((0,), False, True),
        ((2,), False, False),
        ((2,), True, True),
        ((1,), True, False),
    ],
)
def test_a_home_is_off_by_its_relay_or_by_a_cut_that_nothing_read_since_denies(
    relays: tuple[int, ...], cut: bool, off: bool
) -> None:
    from fairwatt.store.models import RegisterHead, WalletHead
    from fairwatt.web.darkness import is_off

    registers = [RegisterHead(relay=relay) for relay in relays]
    assert is_off(head=WalletHead(cut_by_credit=cut), registers=registers) is off
