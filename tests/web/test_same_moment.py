"""Forms that arrive twice at the same moment, or with what no row can hold: each is answered in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from fairwatt.server.launcher.services import Services
from support.moment import together
from web.scene import Scene


@pytest.fixture(scope="module")
def scene(house: Services) -> Scene:
    made = Scene(floors=1, columns=3)
    made.live()
    return made


def test_a_case_that_two_browsers_open_at_the_same_moment_is_one(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Dispute, Line
    from fairwatt.web.access import Scope, seeing

    with seeing(scope=Scope(books=(scene.book,))):
        doubted = Line.objects.filter(wallet=scene.wallets[0], amount_micro__lt=0)
        seqs = list(doubted.order_by("-seq").values_list("seq", flat=True)[:6])
    browsers = [signed_in(scene.owner) for _ in range(6)]
    for seq in seqs:
        page = reverse("tenant:doubt", args=[scene.public_id(0), seq])
        form = {"reason": "reading", "words": "I was away."}
        answers = together(6, lambda n, page=page, form=form: browsers[n].post(page, form).status_code)
        assert answers == [302] * 6, answers
        with seeing(scope=Scope(books=(scene.book,))):
            assert Dispute.objects.filter(wallet=scene.wallets[0], line_seq=seq).count() == 1


def test_what_no_row_can_hold_is_refused_and_breaks_nothing(scene: Scene, signed_in: Any) -> None:
    resident, desk = signed_in(scene.owner), signed_in(scene.operator)
    home, console = reverse("tenant:home", args=[scene.public_id(0)]), f"/console/{scene.slug}/"
    nul, huge = "a\x00b", "9" * 17
    tried = [
        (resident, f"{home}messages/", {"language": nul}),
        (resident, f"{home}messages/address/", {"address": f"{nul}@home.example"}),
        (resident, f"{home}messages/browser/", {"endpoint": f"https://push.example.com/{nul}"}),
        (resident, f"{home}people/", {"do": "invite", "name": nul}),
        (resident, f"{home}people/", {"do": "withdraw", "id": huge}),
        (resident, f"{home}people/", {"do": "remove", "id": huge}),
        (resident, reverse("tenant:join"), {"code": nul, "join": "1"}),
        (desk, f"{console}lets/", {"unit": huge, "to": "2026-12-01T10:00", "merchant": "x", "users": nul}),
        (desk, f"{console}lets/", {"unit": "1", "to": "2026-12-01T10:00", "merchant": "x", "package": nul}),
        (desk, f"{console}cash/take/", {"wallet": huge, "amount": "5", "ticket": "0" * 32}),
        (desk, f"{console}cash/take/", {"wallet": huge, "amount": "5", "ticket": nul}),
        (desk, f"{console}deposits/", {"home": nul, "amount": "9999999999999", "ticket": "0" * 32}),
    ]
    for who, page, form in tried:
        assert who.post(page, form).status_code < 500, (page, form)
    for page in (
        f"{console}cash/?q=%00",
        f"{console}messages/?before={huge}",
        f"{console}cash/?wallet={huge}",
    ):
        assert desk.get(page).status_code < 500, page


def test_a_move_with_a_changed_form_is_refused(scene: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Unit

    unit = Unit.objects.get(site=scene.site, label=scene.labels[1])
    page = reverse("console:move", args=[scene.slug, unit.pk])
    desk = signed_in(scene.operator)
    assert desk.post(page, {"ticket": "nonsense"}).status_code == 422
