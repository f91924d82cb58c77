"""What was wrong in the past is set right to the very totals it would have given in time, and says so."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwatt.server.launcher.services import Services
from flows.test_explain import explained, replayed
from flows.test_late import EVENING_US, MINUTE_US, TWO_VERSIONS, steps, totals
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, HOUR_US, NOON_US, TARIFF, Street, reading

WRONG = TARIFF.replace("0.20", "0.29").replace("counter: month", "counter: year").replace('"0.25"', '"0.20"')


def edit(
    desk: Desk, at_us: int, wh: int | None, *, n: int = 0, role: Any = "migrate", now_us: int = NOON_US
) -> int:
    """Ask for a reading to be set right; return the fact."""
    from fairwatt.flows.correct_reading import correct_reading

    with as_role(role):
        return correct_reading(
            installation_id=desk.street.installations[n],
            at_us=at_us,
            register_wh=wh,
            author="ada",
            reason="read off wrongly",
            now_us=now_us,
        )


def all_is_explained(desk: Desk, homes: int = 1) -> None:
    for account in explained(desk):
        assert account.differences == (), f"{account.id} {account.what}"
        assert account.recomputed
    for n in range(homes):
        assert replayed(desk, n).slips == []


# --- readings -----------------------------------------------------------------------------------------------


@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps=steps, data=st.data())
def test_late_and_edited_readings_in_any_order_end_where_right_ones_in_time_would(
    house: Services, steps: list[tuple[int, int]], data: st.DataObject
) -> None:
    ats = list(accumulate((minutes * MINUTE_US for minutes, _ in steps), initial=EVENING_US))[1:]
    used = list(accumulate(minutes * watts // 60 for minutes, watts in steps))
    right = dict(zip(ats, used, strict=True))
    struck = data.draw(st.sets(st.sampled_from(ats[:-1])), label="struck out")
    wrong = data.draw(st.sets(st.sampled_from(ats)), label="read off wrongly")
    arrivals = data.draw(st.permutations(ats), label="arrivals")
    misread = {at: max(low, right[at] - 97) for at, low in zip(ats, [0, *used], strict=False)}
    street = Street(tariff=TWO_VERSIONS, opened_us=EVENING_US)
    in_time, other = (street.open_home() for _ in range(2))
    now = ats[-1]
    with opened_desk(street) as desk:
        true = [reading(in_time, at, wh) for at, wh in right.items() if at not in struck]
        desk.post(street.readings(*true), now_us=now)
        for at in arrivals:
            shown = misread[at] if at in wrong else right[at]
            desk.post(street.readings(reading(other, at, shown)), now_us=now)
        expected = {at for at in ats if at in wrong and misread[at] != right[at]}
        said = [(at, right[at]) for at in sorted(expected)] + [(at, None) for at in sorted(struck)]
        for k, (at, wh) in enumerate(data.draw(st.permutations(said), label="edits")):
            fact = edit(desk, at, wh, n=1, now_us=now + k)
            answer = {}
            for _ in range(3):
                desk.post(now_us=now)
                desk.open(now_us=now)
                answer = desk.fact(fact).result or {}
                if answer:
                    break
            assert "difference_micro" in answer or answer["code"] == "unknown_reading", answer
        assert totals(desk, other) == totals(desk, in_time)
        all_is_explained(desk, homes=2)
        check_laws(street.book, acked=desk.acked)


def test_an_edit_says_who_and_why_and_the_reading_itself_stays(desk: Desk) -> None:
    meter = desk.home()
    for hour, wh in ((9, 9_000), (14, 30_000), (20, 31_000)):
        desk.read(meter, NOON_US + hour * HOUR_US, wh)
    fact = edit(desk, NOON_US + 14 * HOUR_US, 14_000)
    desk.post(now_us=NOON_US + 21 * HOUR_US)
    assert desk.fact(fact).state == "posted"
    energy = next(account for account in explained(desk) if account.what == "correction")
    assert energy.corrects is not None
    assert (energy.corrects.cause, energy.corrects.author) == ("edited", "ada")
    assert energy.corrects.readings == ((NOON_US + 14 * HOUR_US, 14_000),)
    assert [line.register_wh for line in desk.lines() if line.kind == 1] == [9_000, 30_000, 31_000]
    all_is_explained(desk)


def test_the_newest_reading_set_right_is_what_the_next_one_counts_from(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 9 * HOUR_US, 9_000)
    desk.read(meter, NOON_US + 20 * HOUR_US, 90_000)
    edit(desk, NOON_US + 20 * HOUR_US, 20_000)
    frame = desk.street.readings(reading(meter, NOON_US + 21 * HOUR_US, 21_000))
    desk.post(frame, now_us=NOON_US + 21 * HOUR_US)
    assert sum(line.energy_wh for line in desk.lines()) == 21_000
    desk.open(now_us=NOON_US + 21 * HOUR_US)
    desk.read(meter, NOON_US + 22 * HOUR_US, 22_000)
    assert desk.quarantine() == []
    all_is_explained(desk)


@pytest.mark.parametrize(
    ("at_hours", "wh", "code"),
    [
        (13, 14_000, "unknown_reading"),
        (14, 30_000, "nothing_changes"),
        (20, None, "newest_reading"),
        (14, 8_000, "backward"),
        (0, 5, "before_installation"),
    ],
)
def test_an_edit_that_cannot_be_true_is_refused_and_nothing_moves(
    desk: Desk, at_hours: int, wh: int | None, code: str
) -> None:
    meter = desk.home()
    for hour, shown in ((9, 9_000), (14, 30_000), (20, 31_000)):
        desk.read(meter, NOON_US + hour * HOUR_US, shown)
    before = len(desk.lines())
    fact = edit(desk, NOON_US + at_hours * HOUR_US, wh)
    desk.post(now_us=NOON_US + 21 * HOUR_US)
    assert (desk.fact(fact).state, desk.fact(fact).result["code"]) == ("refused", code)
    assert len(desk.lines()) == before


@pytest.mark.parametrize("role", ["web", "poster"])
def test_only_commissioning_moves_money_by_an_edit(desk: Desk, role: str) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 9 * HOUR_US, 9_000)
    desk.read(meter, NOON_US + 14 * HOUR_US, 30_000)
    if role == "web":
        from django.db import ProgrammingError

        with pytest.raises(ProgrammingError, match="row-level security"):
            edit(desk, NOON_US + 9 * HOUR_US, 8_000, role=role)
        return
    fact = edit(desk, NOON_US + 9 * HOUR_US, 8_000, role=role)
    desk.post(now_us=NOON_US + 21 * HOUR_US)
    assert desk.fact(fact).result["code"] == "not_authorised"


# --- tariffs ------------------------------------------------------------------------------------------------


@pytest.fixture
def wrong(house: Services) -> Street:
    """Three homes charged under a wrong tariff."""
    street = Street(tariff=WRONG)
    for _ in range(3):
        street.open_home()
    return street


def place(street: Street, text: str = TARIFF, **wishes: Any) -> Any:
    from fairwatt.flows.correct_tariff import place_tariff_correction

    known(street, "ada")
    said = {
        "author": f"ada-{street.book}",
        "reason": "the day price was wrong",
        "now_us": NOON_US + 60 * DAY_US,
        **wishes,
    }
    with as_role("migrate"):
        return place_tariff_correction(book_id=street.book, slug="tariff", text=text, **said)


def known(street: Street, name: str) -> Any:
    """An administrator of the street's organisation."""
    from fairwatt.store.models import Role, User

    with as_role("migrate"):
        username, organisation = f"{name}-{street.book}", street.site.book.organisation
        return User.objects.filter(username=username).first() or User.objects.create_user(
            username, None, "x", role=Role.ADMIN, organisation=organisation
        )


def confirm(street: Street, correction: Any, *, person: str = "bea") -> int:
    from fairwatt.flows.correct_tariff import confirm_tariff_correction

    user = known(street, person)
    with as_role("web"):
        return confirm_tariff_correction(
            correction_id=correction.pk, user=user, note="checked the decree", now_us=NOON_US + 60 * DAY_US
        )


def live_on(desk: Desk, *, days: range) -> None:
    """Readings of three homes, some of them late."""
    for day in days:
        for n, meter in enumerate(desk.street.homes):
            for hour in (11, 5, 23):
                at = NOON_US + day * DAY_US + hour * HOUR_US
                wh = day * 5_000 * (n + 1) + hour * (97 + n)
                desk.post(desk.street.readings(reading(meter, at, wh)), now_us=at)


def drain(desk: Desk, fact: int, *, now_us: int, restart: bool = False, reads: bool = False) -> int:
    """Post batches until the fact is answered; return how many it took."""
    for batches in range(1, 30):
        result = desk.post(now_us=now_us)
        if restart or result.reload:
            desk.open(now_us=now_us)
        if reads and desk.fact(fact).state == "waiting":
            live_on(desk, days=range(33 + batches, 34 + batches))
        if desk.fact(fact).state != "waiting":
            return batches
    raise AssertionError("the correction never ends")


@pytest.mark.parametrize("restart", [False, True])
def test_a_corrected_tariff_ends_where_the_right_one_would_have(
    wrong: Street, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import correcting

    monkeypatch.setattr(correcting, "REGISTERS_A_BATCH", 1)
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


def test_a_closed_home_is_named_in_preview_and_event(wrong: Street) -> None:
    from fairwatt.store.models import Installation

    with opened_desk(wrong) as desk:
        live_on(desk, days=range(2))
        gone = Installation.objects.select_related("unit").get(pk=wrong.installations[2])
        with as_role("migrate"):
            Installation.objects.filter(pk=gone.pk).update(closed_us=NOON_US + 3 * DAY_US)
        desk.open(now_us=NOON_US + 4 * DAY_US)
        correction = place(wrong)
        assert (correction.preview["registers"], list(correction.preview["closed"])) == (2, [gone.unit.label])
        drain(desk, confirm(wrong, correction), now_us=NOON_US + 60 * DAY_US)
        (event,) = desk.events("tariff.corrected")
        assert (event.evidence["registers"], event.evidence["closed"]) == (2, [gone.pk])


def test_one_person_cannot_place_and_confirm(wrong: Street) -> None:
    from fairwatt.flows.correct_tariff import CannotConfirm

    with opened_desk(wrong) as desk:
        live_on(desk, days=range(2))
        bea = known(wrong, "bea")
        correction = place(wrong, author=bea.username)
        with pytest.raises(CannotConfirm, match="somebody else"):
            confirm(wrong, correction)
        with as_role("web"):
            from django.db import connection, transaction

            from fairwatt.store import facts
            from fairwatt.store.models import User

            bea = User.objects.get(username=f"bea-{wrong.book}")
            with transaction.atomic(), connection.cursor() as cursor:
                fact, _ = facts.add(
                    cursor=cursor,
                    book=wrong.book,
                    kind="tariff_correction",
                    natural_key="forged",
                    wallet=None,
                    payload={"correction": correction.pk, "confirmed_by": bea.pk},
                    raw=b"",
                    now_us=NOON_US,
                )
        desk.post(now_us=NOON_US + 60 * DAY_US)
        assert desk.fact(fact).result["code"] == "one_pair_of_eyes"


@pytest.mark.parametrize("restart", [False, True])
def test_a_register_that_cannot_be_rated_again_is_left_with_an_alarm(
    wrong: Street, restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fairwatt.flows.posting import correcting

    real, bad = correcting.rerate_site, wrong.installations[1]

    def fragile(**asked: Any) -> Any:
        if bad in asked["installations"].tolist():
            raise ValueError("this cannot be rated")
        return real(**asked)

    monkeypatch.setattr(correcting, "rerate_site", fragile)
    with opened_desk(wrong) as desk:
        live_on(desk, days=range(2))
        fact = confirm(wrong, place(wrong))
        drain(desk, fact, now_us=NOON_US + 60 * DAY_US, restart=restart)
        assert (desk.fact(fact).state, desk.fact(fact).result["registers"]) == ("posted", 2)
        assert desk.fact(fact).result["left"] == [bad]
        assert {e.evidence["installation"] for e in desk.events("alarm.register_not_corrected")} == {bad}
        from fairwatt.store.models import Correction

        corrected = set(Correction.objects.filter(fact=fact).values_list("ref", flat=True))
        assert corrected == set(wrong.installations) - {bad}


def test_the_same_word_on_a_reading_is_one_fact_until_another_is_said(desk: Desk) -> None:
    meter = desk.home()
    for hour, wh in ((9, 9_000), (14, 30_000), (20, 31_000)):
        desk.read(meter, NOON_US + hour * HOUR_US, wh)
    at_us, now_us = NOON_US + 14 * HOUR_US, NOON_US + 21 * HOUR_US
    said = []
    for wh in (14_000, 14_000, 15_000, 14_000):
        said.append(edit(desk, at_us, wh, now_us=now_us + len(said)))
        desk.post(now_us=now_us)
    assert len(set(said)) == 3 and said[0] == said[1]
    assert {desk.fact(fact).state for fact in said} == {"posted"}


def test_edits_that_wait_keep_no_payment_waiting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairwatt.flows.posting import facts

    meter = desk.home()
    for hour in (1, 2, 3):
        desk.read(meter, NOON_US + hour * HOUR_US, hour * 1_000)
    monkeypatch.setattr(facts, "FACTS_MAX", 2)
    for n in range(4):
        edit(desk, NOON_US + HOUR_US, 900 - n)
    paid = [desk.pay(meter, 10_00, now_us=NOON_US + 4 * HOUR_US + n) for n in range(3)]
    result = desk.post(now_us=NOON_US + 5 * HOUR_US)
    assert [desk.fact(fact).state for fact in paid] == ["posted", "posted", "waiting"]
    assert result.facts_wait


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


# --- supply -------------------------------------------------------------------------------------------------


def test_a_correction_that_empties_a_wallet_warns_anew_before_any_cut(desk: Desk) -> None:
    meter = desk.home()
    noon = NOON_US + DAY_US
    desk.pay(meter, 3_50, now_us=NOON_US)
    desk.read(meter, noon - HOUR_US, 18_000)
    desk.read(meter, noon, 18_100)  # about 0.09 left: warned low and almost gone
    assert 0 < desk.balance(meter) < 1_000_000
    assert [event.kind for event in desk.events("warning")] != []
    later = noon + 2 * HOUR_US
    desk.read(meter, later, 18_200)
    edit(desk, later, 20_500, now_us=later)
    desk.post(now_us=later)
    assert desk.balance(meter) < 0
    assert [event.kind for event in desk.events("credit.corrected")] == ["credit.corrected"]
    assert desk.events("warning")[-1].kind == "warning.empty" and desk.events("warning")[-1].at_us == later
    assert desk.events("supply.cut") == [], "the old warnings do not count"
    desk.open(now_us=later)
    desk.read(meter, later + HOUR_US // 2, 20_600)
    assert desk.events("supply.cut") == []
    desk.read(meter, later + HOUR_US + HOUR_US // 10, 20_700)
    assert len(desk.events("supply.cut")) == 1, "then the ladder goes on as always"


def test_a_debt_brought_over_warns_anew_before_any_cut(desk: Desk) -> None:
    from fairwatt.flows.keep_books import bring_balance_over

    meter = desk.home()
    noon = NOON_US + DAY_US
    desk.pay(meter, 3_50, now_us=NOON_US)
    desk.read(meter, noon - HOUR_US, 18_000)
    desk.read(meter, noon, 18_100)
    later = noon + 2 * HOUR_US
    desk.read(meter, later, 18_200)
    with as_role("migrate"):
        bring_balance_over(
            wallet_id=desk.street.wallets[0], amount_micro=-50_000_000, reference="old", now_us=later
        )
    desk.post(now_us=later)
    assert desk.balance(meter) < 0 and desk.events("supply.cut") == []
    assert desk.events("warning")[-1].at_us == later
