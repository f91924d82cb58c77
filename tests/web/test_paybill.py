"""PayBill where people meet it: the resident's page, the desk's page, and the door M-PESA calls at."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.db import connection

from fairwatt.core.account_numbers import account_number, in_groups
from support.commands import fairwatt
from support.house import as_role
from web.offered import offered
from web.scene import NOW_US, Scene
from web.test_callback_door import knock


@pytest.fixture(scope="module")
def told(house: object) -> tuple[Scene, int]:
    """A building whose residents pay from the menu alone; its account's number."""
    made = Scene(floors=1, columns=2)
    made.live()
    return made, offered(made, "mpesa", "paybill")


def account(number: int) -> Any:
    from fairwatt.store.models import MerchantAccount

    return MerchantAccount.objects.get(pk=number)


def shop_of(number: int) -> str:
    from fairwatt.store.models import MerchantKey

    return str(MerchantKey.objects.get(account=number).settings["short_code"])


def question(scene: Scene, number: int, **more: Any) -> bytes:
    said = {
        "TransactionType": "Pay Bill",
        "TransID": "RKTQDM7W6S",
        "TransTime": "20261122184538",
        "TransAmount": "20.00",
        "BusinessShortCode": shop_of(number),
        "BillRefNumber": account_number(wallet=scene.wallets[0]),
    }
    return json.dumps({**said, **more}).encode()


def test_a_resident_reads_both_numbers_and_is_not_sent_to_a_practice_platform(
    told: tuple[Scene, int], signed_in: Any
) -> None:
    scene, number = told
    page = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/").content.decode()
    shown = re.findall(r"<code>([^<]+)</code>", page)
    mine = account_number(wallet=scene.wallets[0])
    assert shown[:2] == [shop_of(number), in_groups(number=mine)]
    assert f'data-copy="{mine}"' in page
    assert 'class="top-up"' not in page, "there is no other way to pay here"


def test_who_may_pay_on_the_page_reads_the_numbers_below_it(told: tuple[Scene, int], signed_in: Any) -> None:
    from fairwatt.flows.merchants import offer

    scene, number = told
    for methods, form, numbers in ((["push", "paybill"], True, True), (["push"], True, False)):
        with as_role("migrate"):
            offer(account_id=number, methods=methods, author="commissioning", now_us=NOW_US)
        page = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/").content.decode()
        assert ('class="top-up"' in page, 'class="paybill"' in page) == (form, numbers)
    with as_role("migrate"):
        offer(account_id=number, methods=["paybill"], author="commissioning", now_us=NOW_US)


def test_the_door_answers_a_check_and_thanks_for_what_it_is_told(
    told: tuple[Scene, int], signed_in: Any
) -> None:
    scene, number = told
    token = account(number).token
    wrong = account_number(wallet=scene.wallets[0])[:-1]
    for path, body, code in (
        ("check", question(scene, number), "0"),
        ("check", question(scene, number, BillRefNumber=wrong), "C2B00012"),
        ("check", question(scene, number, BusinessShortCode="1"), "C2B00015"),
        ("check", b"{}", "C2B00016"),
        ("paid", question(scene, number), 0),
        ("paid", question(scene, number), 0),
        ("paid", b"\xff" * 70_000, 0),
    ):
        where = f"/pay/callback/incoming/{token}/{path}"
        status, said = knock(where, body)
        assert (status, json.loads(said)["ResultCode"]) == (200, code), (path, body[:80])
        page = signed_in(None).post(where, body, content_type="application/json")
        assert (page.status_code, page.content) == (200, said)
    with as_role("collector"), connection.cursor() as cursor:
        cursor.execute("SELECT provider_ref FROM announced WHERE account = %s", [number])
        assert cursor.fetchall() == [("RKTQDM7W6S",)], "told four times, noted once"


@pytest.mark.parametrize("path", ["incoming/{}/other", "incoming/{}", "incoming/" + "0" * 32 + "/paid"])
def test_any_other_address_is_nobodys(told: tuple[Scene, int], path: str) -> None:
    scene, number = told
    assert knock(f"/pay/callback/{path.format(account(number).token)}", question(scene, number))[0] == 404


def test_an_account_that_nobody_pays_so_has_no_such_address(other: Scene) -> None:
    from web.reconciled import account_of

    token = account_of(other).token
    assert knock(f"/pay/callback/incoming/{token}/paid", b"{}")[0] == 404


def test_the_desk_reads_how_it_stands_and_the_command_line_tells_again(
    told: tuple[Scene, int], signed_in: Any
) -> None:
    scene, number = told
    path = f"/console/{scene.site.book.slug}/merchants/"
    none = json.loads(fairwatt("merchant", "listen", str(number), "--json").out)
    assert (none["state"], none["told_us"]) == ("none", None)
    assert none["check"].endswith(f"/pay/callback/incoming/{account(number).token}/check")
    with as_role("collector"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO listening (account, begun_us, told, told_us, kept, read_us, ask_us) "
            "VALUES (%s, 1, 'x', %s, true, 1, 1)",
            [number, NOW_US],
        )
    page = signed_in(scene.operator).get(path).content.decode()
    assert f"fairwatt merchant listen {number} --again" in page
    assert "keeps addresses" in fairwatt("merchant", "listen", str(number)).out
    told_again = json.loads(fairwatt("merchant", "listen", str(number), "--again", "--json").out)
    assert told_again["state"] == "telling"
    assert "has not been told" in signed_in(scene.operator).get(path).content.decode()
    nobody = fairwatt("merchant", "listen", "999999")
    assert (nobody.code, "no such account" in nobody.err) == (2, True)
