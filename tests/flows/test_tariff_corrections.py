"""A tariff that was wrong in the past: previewed, confirmed by another person, posted register by register."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import ProgrammingError

from fairwatt.server.launcher.services import Services
from flows.test_corrections import all_is_explained
from flows.test_explain import explained
from support.corrections import WRONG, confirm, drain, known, live_on, place
from support.desk import opened_desk
from support.forged import add_fact, forge
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, NOON_US, TARIFF, Street


@pytest.fixture
def wrong(house: Services) -> Street:
    """Three homes charged under a wrong tariff."""
    street = Street(tariff=WRONG)
    for _ in range(3):
        street.open_home()
    return street


@pytest.mark.parametrize("restart", [False, True])
def test_a_corrected_tariff_ends_where_the_right_one_would_have(
    wrong: Street, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import retariffing

    monkeypatch.setattr(retariffing, "LINES_A_BATCH", 1)
    with opened_desk(wrong) as desk:
        live_on(desk, days=range(28, 33))
        charged = {str(account.id): explained_publication(account) for account in explained(desk)}
        now = NOON_US + 60 * DAY_US
        correction = place(wrong)
        fact = confirm(wrong, correction)
        assert confirm(wrong, correction) == fact, "twice is once"
        drain(desk, fact, now_us=now, restart=restart, reads=True)
        assert desk.fact(fact).result["registers"] == 3
        desk.open(now_us=now)
        live_on(desk, days=range(70, 72))
        check_laws(wrong.book, acked=desk.acked)  # the oracle reads the newest publication
        all_is_explained(desk, homes=3)
        now_said = {str(account.id): explained_publication(account) for account in explained(desk)}
        assert charged.items() <= now_said.items(), "an old line names what it was charged under"
        assert len(set(now_said.values()) - {0}) == 2
        corrections = [line for line in desk.lines() if line.kind == 3]
        assert {
            (line.energy_micro != 0) + (line.standing_micro != 0) + (line.tax_micro != 0)
            for line in corrections
        } <= {0, 1}


def explained_publication(account: Any) -> int:
    return account.meter.publication if account.meter else 0


def test_the_preview_is_what_is_posted(wrong: Street) -> None:
    with opened_desk(wrong) as desk:
        live_on(desk, days=range(4))
        correction = place(wrong)
        preview = correction.preview
        before = sum(line.amount_micro for line in desk.lines())
        fact = confirm(wrong, correction)
        drain(desk, fact, now_us=NOON_US + 60 * DAY_US)
        moved = before - sum(line.amount_micro for line in desk.lines())
        said = preview["energy_micro"] + preview["standing_micro"] + preview["tax_micro"]
        assert abs(moved - said) <= 3 * 3, "each home and component may floor once"
        assert preview["registers"] == 3 == sum(preview["bands"]) == preview["gaining"] + preview["paying"]
        assert moved < 0, "the wrong day price was too high"


@pytest.mark.parametrize("restart", [False, True])
def test_what_a_closed_home_owes_is_posted_to_the_wallet_it_left(
    wrong: Street, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import retariffing
    from fairwatt.store.models import Installation

    monkeypatch.setattr(retariffing, "LINES_A_BATCH", 1)
    monkeypatch.setattr(retariffing, "CLOSED_AT_ONCE", 1)
    with opened_desk(wrong) as desk:
        live_on(desk, days=range(2))
        gone, untouched = Installation.objects.select_related("unit").filter(pk__in=wrong.installations[1:])
        with as_role("migrate"):
            # Both were closed after the use that was priced wrongly, one of them at its last reading.
            Installation.objects.filter(pk=gone.pk).update(closed_us=NOON_US + 3 * DAY_US)
            Installation.objects.filter(pk=untouched.pk).update(closed_us=NOON_US + 2 * DAY_US)
        desk.open(now_us=NOON_US + 4 * DAY_US)
        correction = place(wrong)
        [departed, _] = correction.preview["departed"]
        assert (correction.preview["registers"], departed[0]) == (3, gone.unit.label)
        before = {line.seq for line in desk.lines() if line.ref == gone.pk}
        fact = confirm(wrong, correction)
        drain(desk, fact, now_us=NOON_US + 60 * DAY_US, restart=restart)
        (event,) = desk.events("tariff.corrected")
        assert gone.pk in event.evidence["closed"]
        assert (event.evidence["registers"], event.evidence["left"]) == (3, [])
        mine = [line for line in desk.lines() if line.ref == gone.pk and line.seq not in before]
        posted = -sum(line.amount_micro for line in mine)
        assert posted != 0
        assert abs(posted - departed[1]) <= 3, "each component may floor once"
        check_laws(wrong.book, acked=desk.acked)  # the oracle prices the closed home by the right text, too
        all_is_explained(desk, homes=3)


def test_a_correction_of_a_correction_waits_until_the_first_is_posted(
    wrong: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import retariffing
    from fairwatt.flows.posting.loading import load_book

    monkeypatch.setattr(retariffing, "LINES_A_BATCH", 1)
    with opened_desk(wrong) as desk:
        live_on(desk, days=range(28, 33))
        now = NOON_US + 60 * DAY_US
        first = confirm(wrong, place(wrong, TARIFF.replace("0.20", "0.24")))
        assert desk.post(now_us=now).reload
        desk.state = load_book(book=wrong.book, now_us=now)
        second = confirm(wrong, place(wrong))
        desk.post(now_us=now)
        assert desk.fact(first).state == "waiting"
        while desk.fact(second).state == "waiting":
            if desk.post(now_us=now).reload:
                desk.state = load_book(book=wrong.book, now_us=now)
        assert [desk.fact(fact).result["registers"] for fact in (first, second)] == [3, 3]
        desk.open(now_us=now)
        check_laws(wrong.book, acked=desk.acked)  # the oracle reads the newest publication
        all_is_explained(desk, homes=3)


def test_one_person_cannot_place_and_confirm(wrong: Street) -> None:
    from fairwatt.flows.correct_tariff import CannotConfirm

    with opened_desk(wrong) as desk:
        live_on(desk, days=range(2))
        bea = known(wrong, "bea")
        correction = place(wrong, author=bea.username)
        with pytest.raises(CannotConfirm, match="somebody else"):
            confirm(wrong, correction)
        said = {"correction": correction.pk, "confirmed_by": bea.pk}
        with pytest.raises(ProgrammingError, match="did not place it"):
            forge(wrong.book, "tariff_correction", said)
        fact = add_fact(wrong.book, "tariff_correction", said)
        desk.post(now_us=NOON_US + 60 * DAY_US)
        assert desk.fact(fact).result["code"] == "one_pair_of_eyes"


@pytest.mark.parametrize("restart", [False, True])
def test_a_register_that_cannot_be_rated_again_is_left_with_an_alarm(
    wrong: Street, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import site_rerating

    real, bad = site_rerating._rate, wrong.installations[1]

    def fragile(sides: Any, rows: Any) -> Any:
        if sorted(wrong.installations).index(bad) in rows.place.tolist():
            raise ValueError("this cannot be rated")
        return real(sides, rows)

    with opened_desk(wrong) as desk:
        live_on(desk, days=range(2))
        fact = confirm(wrong, place(wrong))
        monkeypatch.setattr(site_rerating, "_rate", fragile)
        drain(desk, fact, now_us=NOON_US + 60 * DAY_US, restart=restart)
        assert (desk.fact(fact).state, desk.fact(fact).result["registers"]) == ("posted", 2)
        assert desk.fact(fact).result["left"] == [bad]
        assert {e.evidence["installation"] for e in desk.events("alarm.register_not_corrected")} == {bad}
        from fairwatt.store.models import Correction

        corrected = set(Correction.objects.filter(fact=fact).values_list("ref", flat=True))
        assert corrected == set(wrong.installations) - {bad}


def test_a_correction_that_was_overtaken_or_is_unknown_is_refused(wrong: Street) -> None:
    from fairwatt.flows.provision import publish_tariff

    with opened_desk(wrong) as desk:
        live_on(desk, days=range(2))
        correction = place(wrong)
        with as_role("migrate"):
            later = WRONG + WRONG[WRONG.index("  - effective") :].replace("2013-01-01", "2014-01-01")
            publish_tariff(
                book_id=wrong.book, slug="tariff", name="Tariff", text=later, now_us=NOON_US + DAY_US
            )
        fact = confirm(wrong, correction)
        desk.post(now_us=NOON_US + 60 * DAY_US)
        assert desk.fact(fact).result["code"] == "overtaken"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (WRONG, "says already"),
        (TARIFF.replace("GBP", "EUR"), "currency"),
        (TARIFF.replace("2013-01-01", "2013-09-01"), "first home"),
    ],
)
def test_a_correction_that_would_not_be_right_is_not_placed(wrong: Street, text: str, why: str) -> None:
    from fairwatt.flows.correct_tariff import CannotPlace

    with pytest.raises(CannotPlace, match=why):
        place(wrong, text)


def test_an_author_nobody_knows_places_nothing(wrong: Street) -> None:
    from fairwatt.flows.correct_tariff import CannotPlace

    with pytest.raises(CannotPlace, match="Nobody called"):
        place(wrong, author="ada")
