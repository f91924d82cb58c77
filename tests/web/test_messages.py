"""Messages on the pages of residents and of the desk: chosen, proven, followed, answered."""

from __future__ import annotations

import io
from typing import Any

import pypdf
import pytest
from django.urls import reverse

from support.house import as_role
from web.accounts import administrator
from web.scene import Scene
from web.told import told


def heard(what: str, account: str) -> int:
    from django.db import connection

    with as_role("notifier"), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM notify_heard WHERE what = %s AND account = %s", [what, account])
        return int(cursor.fetchone()[0])


def test_a_resident_gives_a_number_and_proves_it(scene: Scene, signed_in: Any) -> None:
    client, home = signed_in(scene.owner), [scene.public_id(0)]
    page = reverse("tenant:messages", args=home)
    empty = client.get(page).content.decode()
    assert scene.owner.email in empty
    given = client.post(reverse("tenant:message_address", args=home), {"address": "138 0000 0001"})
    assert given.status_code == 302
    number = given["Location"].rpartition("#c")[2]
    waiting = client.get(page).content.decode()
    assert "+8613800000001" in waiting
    wrong = client.post(reverse("tenant:message_prove", args=[*home, number]), {"code": "000000"})
    assert wrong.status_code == 422
    with as_role("notifier"):
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT about->>'code' FROM notice WHERE key = %s", [f"code:{number}"])
            (digits,) = cursor.fetchone()
    assert (
        client.post(reverse("tenant:message_prove", args=[*home, number]), {"code": digits}).status_code
        == 302
    )
    again = client.post(reverse("tenant:message_address", args=home), {"address": "138 0000 0001"})
    assert again.status_code == 422
    # A minute has not passed: another number of the same person is another receiver, the address asks from one place.
    other = client.post(reverse("tenant:message_address", args=home), {"address": "13800000002"})
    assert other.status_code == 302
    # The neighbour sees none of it.
    theirs = (
        signed_in(scene.neighbour).get(reverse("tenant:messages", args=[scene.public_id(1)])).content.decode()
    )
    assert "+8613800000001" not in theirs
    assert client.post(reverse("tenant:message_end", args=[*home, number])).status_code == 302
    assert "+8613800000001" not in client.get(page).content.decode()


def test_a_choice_is_kept_and_shown(scene: Scene, signed_in: Any) -> None:
    client, page = signed_in(scene.owner), reverse("tenant:messages", args=[scene.public_id(0)])
    chosen = {"language": "zh-hans", "channel": ["sms"], "silent": ["low", "empty"], "digest": "on"}
    assert client.post(page, chosen).status_code == 302
    shown = client.get(page).content.decode()
    assert 'value="low" checked' in shown
    assert 'value="empty"' not in shown


def test_a_message_is_read_by_its_reader_only(scene: Scene, signed_in: Any) -> None:
    row = told(scene, step="critical", state="sent")
    address = reverse("notices:opened", args=[row.code])
    assert signed_in(None).get(address)["Location"].startswith("/accounts/login/")
    assert signed_in(scene.neighbour).get(address).status_code == 404
    assert heard("read", row.code) == 0
    assert signed_in(scene.owner).get(address)["Location"] == reverse(
        "tenant:home", args=[scene.public_id(0)]
    )
    assert heard("read", row.code) == 1
    assert signed_in(None).post(reverse("notices:seen", args=[row.code])).status_code == 204
    assert heard("delivered", row.code) == 1
    assert signed_in(None).post(reverse("notices:seen", args=["0" * 32])).status_code == 204
    assert heard("delivered", "0" * 32) == 0


def test_the_desk_sees_what_failed_and_why_and_sends_it_again(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Event

    row = told(scene, step="empty", state="failed", reason="gave_up")
    client = signed_in(scene.operator)
    page = client.get(reverse("console:messages", args=[scene.slug]) + "?state=failed").content.decode()
    assert "it was tried six times" in page
    assert "+86138****0001" in page or "****0001" in page
    assert "+8613800000001" not in page
    assert client.post(reverse("console:message_again", args=[scene.slug, row.id])).status_code == 302
    with as_role("poster"):
        assert Event.objects.filter(kind="desk.message_again", evidence__message=row.id).count() == 1
    assert (
        "No message is like that"
        in client.get(reverse("console:messages", args=[scene.slug]) + "?channel=wechat").content.decode()
    )


def test_whom_no_message_reached_is_called_and_that_is_noted(other: Scene, signed_in: Any) -> None:
    """The small building's cut came with nobody told: the cut itself wrote the call. Nobody pays there."""
    from fairwatt.flows.notifying.desk import unheralded
    from fairwatt.store.models import Event

    assert unheralded(book_id=other.book) == []
    client, page = signed_in(other.operator), reverse("console:messages", args=[other.slug])
    before = client.get(page).content.decode()
    assert "supply was ordered off and no warning was shown to have arrived" in before
    number = int(before.partition("/messages/calls/")[2].partition("/")[0])
    answer = reverse("console:answer_call", args=[other.slug, number])
    assert client.post(answer, {"answer": "nonsense"}).status_code == 422
    assert client.post(answer, {"answer": "called"}).status_code == 302
    assert client.post(answer, {"answer": "met"}).status_code == 302
    with as_role("poster"):
        told_of = Event.objects.filter(book=other.book, kind="desk.escalation_answered")
        assert [event.reason for event in told_of] == ["called"]
    assert f"/messages/calls/{number}/" not in client.get(page).content.decode()


def test_a_notice_for_the_door_says_what_to_pay(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Unit

    cut = Unit.objects.get(site=scene.site, label=scene.labels[34])
    made = signed_in(scene.operator).get(reverse("console:door_notice", args=[scene.slug, cut.pk]))
    assert made["Content-Type"] == "application/pdf"
    said = pypdf.PdfReader(io.BytesIO(made.content)).pages[0].extract_text()
    assert cut.label in said
    assert "预付费余额通知" in said


def test_words_are_tried_counted_and_kept_by_an_administrator(scene: Scene, signed_in: Any) -> None:
    page = reverse("console:words_of_message", args=[scene.slug, "low", "zh-hans"])
    whole = signed_in(scene.operator).get(reverse("console:message_words", args=[scene.slug]))
    assert whole.status_code == 200
    said = {
        "subject": "余额",
        "body": "{home} {balance}",
        "short": "{home}余额{balance}。" + "谢" * 60,
        "do": "try",
    }
    client = signed_in(scene.operator)
    tried = client.post(page, said).content.decode()
    assert "UCS-2" in tried
    assert "2 short messages" in tried
    refused = client.post(page, {**said, "short": "{balanse}"})
    assert refused.status_code == 422
    assert "balanse" in refused.content.decode()
    assert client.post(page, {**said, "do": "keep"}).status_code == 422
    boss = signed_in(administrator(scene))
    assert boss.post(page, {**said, "do": "keep"}).status_code == 302
    assert "your own words" in boss.get(reverse("console:message_words", args=[scene.slug])).content.decode()


@pytest.mark.parametrize("body", [b"", b"x" * 70_000])
def test_the_door_of_providers_keeps_nothing_of_strangers(body: bytes, scene: Scene, signed_in: Any) -> None:
    address = reverse("notices:heard", args=["0" * 32])
    assert signed_in(None).post(address, body, content_type="application/json").status_code == 404
    assert signed_in(None).get(address + "?echostr=<b>").status_code == 404
