"""Who shares a home, on its pages: a code shown once, a stranger who joins by it, a member who cannot do an owner's."""

from __future__ import annotations

import re
from typing import Any

from django.urls import reverse

from support.house import as_role
from web.scene import NOW_US, PASSWORD, Scene


def test_an_owner_invites_somebody_joins_by_the_link_and_is_taken_out_again(
    other: Scene, signed_in: Any
) -> None:
    from fairwatt.store.models import User

    with as_role("migrate"):
        bo = User.objects.create_user(f"bo-{other.slug}", None, PASSWORD, first_name="Bo")
    owner, guest = signed_in(other.owner), signed_in(bo)
    page = reverse("tenant:people", args=[other.public_id(0)])
    home = reverse("tenant:home", args=[other.public_id(0)])
    made = owner.post(page, {"do": "invite", "name": "Bo"}).content.decode()
    (code,) = set(re.findall(r"(?:[0-9A-Z]{4}-){3}[0-9A-Z]{4}", made))
    assert code not in owner.get(page).content.decode(), "it is shown once"
    link = reverse("tenant:join_code", args=[code])
    assert guest.get(home).status_code == 404
    assert "invites you" in guest.get(link).content.decode()
    assert signed_in(other.operator).get(link).status_code == 404
    assert guest.post(reverse("tenant:join"), {"code": code.lower(), "join": "1"}).status_code == 302
    other.post(now_us=NOW_US)
    assert guest.get(home).status_code == 200
    assert guest.get(link).status_code == 404, "it was used"

    mine = guest.get(page).content.decode()
    assert "Leave this home" in mine and "Make a code" not in mine
    assert guest.post(page, {"do": "invite"}).status_code == 422
    assert guest.post(page, {"do": "remove", "id": other.owner.pk}).status_code == 422
    assert owner.post(page, {"do": "remove", "id": bo.pk}).status_code == 302
    other.post(now_us=NOW_US)
    assert guest.get(home).status_code == 404 == guest.get(page).status_code
