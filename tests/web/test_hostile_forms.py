"""What a hostile or slipping hand types into the forms of the books is named, never written, and breaks no page."""

from __future__ import annotations

from typing import Any

import pytest

from fairwatt.server.launcher.services import Services
from web.accounts import administrator, correcting
from web.costs import share_a_cost
from web.scene import Scene

COST = {
    "title": "Cleaning",
    "first_day": "2026-11-06",
    "last_day": "2026-11-19",
    "source": "typed",
    "amount": "100",
    "evidence": "contract 3",
    "equal": "100",
    "vacant": "landlord",
    "objection_days": "7",
}
FEE = {
    "name": "Parking",
    "category": "parking",
    "amount": "150",
    "basis": "unit",
    "every": "month",
    "day": "1",
    "month": "1",
    "priority": "60",
    "first_day": "2027-01-01",
}
BILL = {
    "action": "bill",
    "supplier": "State Grid",
    "number": "1",
    "first": "2026-10-01",
    "last": "2026-10-31",
    "energy": "10",
    "net": "10",
    "tax": "1",
}
TRUST = {"action": "trust", "account": "A", "day": "2026-10-31", "balance": "10", "reference": "r"}


@pytest.fixture(scope="module")
def scene(house: Services) -> Scene:
    made = Scene(floors=1, columns=3)
    made.live()
    return made


def test_no_day_and_no_amount_breaks_a_page_of_the_books(scene: Scene, signed_in: Any) -> None:
    desk, console = signed_in(scene.operator), f"/console/{scene.slug}/"
    cost = {**COST, "site": scene.site.pk}
    typed = (
        [("costs/draft/", {**cost, "last_day": "9999-12-31"})]
        + [("costs/draft/", {**cost, "first_day": "0001-01-01"})]
        + [("costs/draft/", {**cost, "amount": amount}) for amount in ("99999999999999", "9000000000000")]
        + [("fees/add/", {**FEE, "first_day": day}) for day in ("0026-01-01", "9999-12-31")]
        + [
            ("bookkeeping/", {**BILL, "first": "0001-01-01"}),
            ("bookkeeping/", {**BILL, "last": "9999-12-31"}),
        ]
        + [("bookkeeping/", {**TRUST, "day": day}) for day in ("0001-01-01", "9999-12-31")]
    )
    for page, form in typed:
        assert desk.post(console + page, form).status_code == 422, (page, form)
    for page in ("costs/", "fees/", "bookkeeping/"):
        assert desk.get(console + page).status_code == 200
    span = "from=9999-12-31&to=9999-12-31&as_of=9999-12-31"
    assert desk.get(f"{console}reports/statement/?{span}").status_code < 500


def test_words_with_a_nul_are_kept_without_it(scene: Scene, signed_in: Any) -> None:
    share = share_a_cost(scene)["share"]
    mine = f"/home/{scene.public_id(0)}/owed/{share}/"
    said = signed_in(scene.owner).post(f"{mine}object/", {"reason": "I was \x00away"}, follow=True)
    assert "I was away" in said.content.decode()
    row = correcting(scene, reason="The decree says another day price.")
    admin = signed_in(administrator(scene))
    form = {"correction": row.pk, "note": "read\x00 it"}
    assert admin.post(f"/console/{scene.slug}/corrections/", form).status_code == 302


def test_an_upheld_objection_names_its_new_share(scene: Scene, signed_in: Any) -> None:
    from fairwatt.web.console.cost_forms import DecisionForm

    form = DecisionForm({"outcome": "uphold", "amount": "", "reason": "away"})
    assert not form.is_valid() and "amount" in form.errors
    assert DecisionForm({"outcome": "uphold", "amount": "0", "reason": "away"}).is_valid()
    assert DecisionForm({"outcome": "reject", "amount": "", "reason": "away"}).is_valid()
