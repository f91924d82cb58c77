"""Automatic top-up on its page: what has to be ticked, who may, and off with the second click."""

from __future__ import annotations

from typing import Any

from support.house import as_role
from web.offered import offered
from web.scene import Scene


def test_a_resident_agrees_changes_nothing_for_others_and_switches_off(other: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Tenancy

    client, page = signed_in(other.owner), f"/home/{other.public_id(0)}/auto-top-up/"
    assert "does not offer this yet" in client.get(page).content.decode()
    offered(other, "stripe", "auto")
    home = client.get(f"/home/{other.public_id(0)}/").content.decode()
    assert page in home, "one click from home"
    form = {
        "do": "agree",
        "level": "money",
        "below": "10",
        "days": "3",
        "amount": "50",
        "times": "4",
        "most": "200",
    }
    unticked = client.post(page, form)
    assert unticked.status_code == 422 and "Tick that you agree" in unticked.content.decode()
    odd = client.post(page, {**form, "agreed": "1", "amount": "-5"})
    assert odd.status_code == 422 and "Nothing was agreed" in odd.content.decode()
    small = client.post(page, {**form, "agreed": "1", "most": "49"})
    assert small.status_code == 422 and "less than one top-up of ¥50.00" in small.content.decode()
    with as_role("migrate"):
        Tenancy.objects.filter(user=other.owner).update(role="member")
    assert client.post(page, {**form, "agreed": "1"}).status_code == 422, "a member does not decide it"
    with as_role("migrate"):
        Tenancy.objects.filter(user=other.owner).update(role="owner")
    gone = client.post(page, {**form, "agreed": "1"})
    assert gone.status_code == 302 and gone["Location"].endswith("/auto-top-up/go/")
    shown = client.get(page).content.decode()
    assert "still to be saved" in shown and "Nothing is taken before that" in shown
    assert signed_in(other.neighbour).post(page, {"do": "off"}).status_code == 404
    assert client.post(page, {"do": "off"}).status_code == 302
    assert "Switched off" in client.get(page).content.decode()
    assert client.post(page, {"do": "off"}).status_code == 302, "off already is no error"
