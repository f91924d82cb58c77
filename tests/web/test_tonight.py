"""Who would be cut tonight, as the page tells it: who is off already, which hours are in force, what a rule moves."""

from __future__ import annotations

import html
from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from support.credit import document
from support.house import as_role
from web.accounts import administrator
from web.scene import DRY, HOUR_US, NOW_US, Scene

WIDER = document('friendly: {hours: ["18:00-08:00"]}')


@pytest.fixture(scope="module")
def other(house: Services) -> Scene:
    """A small building of these tests' own: a payment that another test leaves in review would spare its home."""
    made = Scene(floors=1, columns=3)
    made.live()
    return made


def _page(client: Any, scene: Scene) -> str:
    return html.unescape(client.get(f"/console/{scene.slug}/credit/").content.decode())


def test_who_is_off_already_is_named_and_not_said_to_last(other: Scene, signed_in: Any) -> None:
    page = _page(signed_in(administrator(other)), other)
    assert "Everybody's credit lasts" not in page
    assert "Nobody else would be cut" in page and "1 home is without power already." in page
    _, _, row = page.partition('<table class="sheet already-off">')
    row = row.partition("</table>")[0]
    assert other.labels[DRY] in row and "the credit is used up" in row
    assert other.labels[0] not in row


def test_a_home_that_is_being_switched_on_is_off_for_no_rule_that_spares_others(other: Scene) -> None:
    from fairwatt.flows.tonight import who_tonight
    from fairwatt.store.models import Book, Outbox

    wallet = other.wallets[DRY]
    with as_role("poster"):
        newest = Outbox.objects.filter(wallet=wallet, relay=0).order_by("-id").first()
        was = newest.relay, newest.state
        Outbox.objects.filter(pk=newest.pk).update(relay=1, state="queued")
    with as_role("web"):
        (off,) = who_tonight(book=Book.objects.get(pk=other.book), now_us=NOW_US).off
    with as_role("poster"):
        Outbox.objects.filter(pk=newest.pk).update(relay=was[0], state=was[1])
    assert (off.standing.wallet, str(off.reason)) == (wallet, "already_ordered")


def test_the_hours_without_cuts_are_those_in_force_not_those_of_the_example(
    other: Scene, signed_in: Any
) -> None:
    page = _page(signed_in(administrator(other)), other)
    assert "Hours without cuts now: <b>20:00-08:00</b> (3 homes)" in " ".join(page.split())
    assert "This is an example, not what holds now" in page


def test_a_preview_counts_homes_and_offers_none_that_moved_out(other: Scene, signed_in: Any) -> None:
    from uuid import uuid4

    from fairwatt.store.models import Wallet

    with as_role("migrate"):
        now = Wallet.objects.get(pk=other.wallets[0])
        left = Wallet.objects.create(
            book=now.book, unit=now.unit, policy=now.policy, public_id=uuid4(), opened_us=now.opened_us
        )
    client = signed_in(administrator(other))
    assert f'<option value="{left.pk}">' not in _page(client, other)
    assert f'<option value="{now.pk}">' in _page(client, other)
    asked = {"body": WIDER, "words": "longer nights", "do": "preview"}
    page = html.unescape(client.post(f"/console/{other.slug}/credit/new/terms/", asked).content.decode())
    with as_role("migrate"):
        left.delete()
    assert "<dt>Homes held to something else</dt><dd>3</dd>" in page
    assert "Hours without cuts, with this rule: <b>18:00-08:00</b> (3 homes)" in " ".join(page.split())


def test_a_preview_says_who_is_cut_at_another_time(other: Scene) -> None:
    from fairwatt.flows.credit_rules import preview_rule
    from fairwatt.store.credit_rules import NewRule
    from fairwatt.store.models import WalletHead

    hungry = other.wallets[0]
    with as_role("poster"):
        head = WalletHead.objects.get(wallet=hungry)
        had = head.balance_micro, head.warned_us
        WalletHead.objects.filter(wallet=hungry).update(balance_micro=1, warned_us=NOW_US - 2 * HOUR_US)
    new = NewRule(
        book=other.book,
        kind="terms",
        from_us=NOW_US,
        words="longer",
        author=administrator(other).pk,
        body=WIDER,
    )
    found = preview_rule(new=new, now_us=NOW_US)
    with as_role("poster"):
        WalletHead.objects.filter(wallet=hungry).update(balance_micro=had[0], warned_us=had[1])
    before = {home.standing.wallet: home.outlook.at_us for home in found.before.cut}
    moved = {home.standing.wallet: home.outlook.at_us for home in found.moved}
    assert NOW_US <= before[hungry] < NOW_US + 80 * 60_000_000, (
        "by the rules now, before hours without cuts begin"
    )
    assert moved[hungry] == NOW_US + (13 * 60 + 20) * 60_000_000, "with the rule, at 08:00 when they are over"


def test_the_command_line_prints_a_table_of_it_with_words_and_amounts(other: Scene, capsys: Any) -> None:
    from fairwatt.cli.tonight import draw
    from fairwatt.flows.tonight import who_tonight
    from fairwatt.store.models import Book

    book = Book.objects.get(pk=other.book)
    with as_role("web"):
        found = who_tonight(book=book, now_us=NOW_US)
    draw(found, book=book, now_us=NOW_US)
    said = capsys.readouterr().out
    row = next(line for line in said.splitlines() if line.startswith(other.labels[DRY]))
    assert "off already" in row and "the credit is used up" in row
    assert "_us" not in said and "micro" not in said
    assert said.rstrip().endswith("1 off already.")
