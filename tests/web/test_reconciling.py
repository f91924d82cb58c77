"""The desk's page of a provider's day: 0 differences, or who does what next, and who said what it was."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from web.accounts import administrator
from web.reconciled import DAY, REF, reconciled
from web.scene import Scene


@pytest.fixture(scope="module")
def account(other: Scene) -> int:
    return reconciled(other)[0]


def page(client: Any, other: Scene, account: int, name: str = "reconciled_day") -> str:
    return str(client.get(reverse(f"console:{name}", args=[other.slug, account, DAY])).content.decode())


def test_a_day_is_a_work_list_until_people_have_said_what_it_was(
    other: Scene, account: int, signed_in: Any
) -> None:
    desk, chief = signed_in(other.operator), signed_in(administrator(other))
    listed = desk.get(reverse("console:reconciliation", args=[other.slug])).content.decode()
    assert "2 differences to look into" in listed and "Refunds through Maple cards wait" in listed
    day = page(desk, other, account)
    assert "Credited here, not in the bill" in day and "First priority." in day
    assert (
        "\u00a56.20" not in day
        and "\u00a5620.00" in day
        and "\u00a53.54 kept as fees, \u00a5586.46 to come" in day
    )
    assert "1 payment was found by the bill alone" in day
    assert day.index("0 differences") > 0 if "0 differences" in day else True
    settle = reverse("console:settle_difference", args=[other.slug, account, DAY])
    words = {"difference": f"not_billed:pi_1::{REF}", "words": "listed under another shop, case 4711"}
    refused = desk.post(settle, words)
    assert refused.status_code == 422 and "an administrator gives it" in refused.content.decode()
    assert chief.post(settle, {**words, "words": "ok"}).status_code == 422, "a word that says nothing is none"
    assert chief.post(settle, words).status_code == 302
    after = page(chief, other, account)
    # Looked at anew: no bill ever came here, so nobody can say that nothing differs.
    assert "<h1>Not judged yet</h1>" in after and "0 differences" not in after
    assert "Refunds through this account wait" not in after


def test_a_day_is_a_file_too_and_speaks_chinese(other: Scene, account: int, signed_in: Any) -> None:
    auditor = signed_in(other.auditor)
    sheet = page(auditor, other, account, "reconciled_csv").splitlines()
    assert sheet[0].lstrip("\ufeff").startswith("kind,our_ref,provider_ref")
    assert "version" in sheet[-1]
    chinese = auditor.get(
        reverse("console:reconciliation", args=[other.slug]), headers={"accept-language": "zh-hans"}
    ).content.decode()
    assert "\u5bf9\u8d26" in chinese
