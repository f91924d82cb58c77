"""A tariff correction is posted once and on the word of a real administrator, whatever facts are written about it."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError

from fairwatt.server.launcher.services import Services
from support.corrections import WRONG, confirm, drain, live_on, place
from support.desk import opened_desk
from support.forged import add_fact, forge
from support.laws import check_laws
from support.street import DAY_US, NOON_US, Street

LATER_US = NOON_US + 60 * DAY_US


@pytest.fixture
def wrong(house: Services) -> Street:
    """Three homes charged under a wrong tariff."""
    street = Street(tariff=WRONG)
    for _ in range(3):
        street.open_home()
    return street


def test_no_number_in_a_fact_keeps_a_book_from_being_loaded(wrong: Street) -> None:
    with opened_desk(wrong) as desk:
        said = [{"correction": 10**30, "confirmed_by": 1}, {"correction": 1.5}, {"correction": -1}, [1], "x"]
        facts = [add_fact(wrong.book, "tariff_correction", one, key=f"{n}") for n, one in enumerate(said)]
        desk.open(now_us=LATER_US)
        assert [desk.fact(fact).state for fact in facts] == ["refused"] * len(said)


def test_nobody_confirms_but_an_administrator_of_the_organisation(wrong: Street) -> None:
    from fairwatt.store.models import User
    from support.costs import resident, staff

    clerk, stranger = staff(wrong, "clerk"), resident(wrong, "stranger")
    with opened_desk(wrong) as desk:
        live_on(desk, days=range(1))
        correction = place(wrong)
        for n, person in enumerate((clerk.pk, stranger.pk, 10**30, -1, clerk.username, None)):
            said = {"correction": correction.pk, "confirmed_by": person}
            with pytest.raises(ProgrammingError, match="did not place it"):
                forge(wrong.book, "tariff_correction", said, key=f"{n}")
            fact = add_fact(wrong.book, "tariff_correction", said, key=f"{n}")
            desk.post(now_us=LATER_US)
            assert desk.fact(fact).result["code"] in ("not_authorised", "bad_correction")
        ada = User.objects.only("pk").get(username=f"ada-{wrong.book}").pk
        with pytest.raises(ProgrammingError, match="did not place it"):
            forge(wrong.book, "tariff_correction", {"correction": correction.pk, "confirmed_by": ada})
        drain(desk, confirm(wrong, correction), now_us=LATER_US)
        (begun,) = desk.events("tariff.correcting")
        assert begun.evidence["confirmed_by"] == User.objects.only("pk").get(username=f"bea-{wrong.book}").pk


def test_a_second_fact_about_a_correction_on_its_way_posts_nothing_twice(
    wrong: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import retariffing
    from fairwatt.flows.posting.loading import load_book

    monkeypatch.setattr(retariffing, "LINES_A_BATCH", 1)
    with opened_desk(wrong) as desk:
        live_on(desk, days=range(2))
        correction = place(wrong)
        before = sum(line.amount_micro for line in desk.lines())
        first = confirm(wrong, correction)
        desk.post(now_us=LATER_US)
        desk.state = load_book(book=wrong.book, now_us=LATER_US)
        desk.post(now_us=LATER_US)  # one of three registers
        second = forge(wrong.book, "tariff_correction", desk.fact(first).payload, key="again")
        desk.state = load_book(book=wrong.book, now_us=LATER_US)
        drain(desk, first, now_us=LATER_US, restart=True)
        third = forge(wrong.book, "tariff_correction", desk.fact(first).payload, key="and again")
        desk.state = load_book(book=wrong.book, now_us=LATER_US)
        desk.post(now_us=LATER_US)
        said = correction.preview
        moved = before - sum(line.amount_micro for line in desk.lines())
        assert abs(moved - said["energy_micro"] - said["standing_micro"] - said["tax_micro"]) <= 3 * 3
        assert desk.fact(first).result["registers"] == 3
        assert [desk.fact(fact).result["code"] for fact in (second, third)] == ["corrected_before"] * 2
        check_laws(wrong.book, acked=desk.acked)
