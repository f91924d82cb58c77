"""Every line can be asked why, and the answer, worked out from stored facts alone, is what was charged."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwatt.server.launcher.services import Services
from flows.test_late import EVENING_US, MINUTE_US, MODULUS_WH, TWO_VERSIONS, steps
from support.desk import Desk, opened_desk
from support.street import HOUR_US, NOON_US, Street, reading

HALF_HOUR_US = HOUR_US // 2


def explained(desk: Desk) -> list[Any]:
    from fairwatt.flows.explaining.ids import LineId
    from fairwatt.flows.explaining.line import explain_line

    return [explain_line(line_id=LineId(line.book, line.wallet, line.seq)) for line in desk.lines()]


def replayed(desk: Desk, n: int = 0) -> Any:
    from fairwatt.flows.explaining.replay import replay_wallet

    return replay_wallet(book=desk.street.book, wallet=desk.street.wallets[n])


@settings(
    max_examples=10,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(steps=steps, opening=st.sampled_from([0, MODULUS_WH - 20_000]), data=st.data())
def test_every_line_of_any_story_works_out_again_bit_for_bit(
    house: Services, steps: list[tuple[int, int]], opening: int, data: st.DataObject
) -> None:
    ats = list(accumulate((minutes * MINUTE_US for minutes, _ in steps), initial=EVENING_US))[1:]
    used = accumulate(minutes * watts // 60 for minutes, watts in steps)
    read = [(at, (opening + wh) % MODULUS_WH) for at, wh in zip(ats, used, strict=True)]
    arrivals = data.draw(st.permutations(read), label="arrivals")
    street = Street(tariff=TWO_VERSIONS, opened_us=EVENING_US)
    meter = street.open_home(opening_wh=opening)
    with opened_desk(street) as desk:
        desk.pay(meter, 5_00, now_us=EVENING_US)
        for at in arrivals:
            desk.post(street.readings(reading(meter, *at)), now_us=ats[-1])
        for account in explained(desk):
            assert account.differences == (), f"{account.id} {account.what}"
            assert account.recomputed
        replay = replayed(desk)
        assert replay.slips == []
        assert (replay.lines, replay.balance_micro) == (len(desk.lines()), desk.balance(meter))


def test_a_charge_names_register_blocks_boundaries_and_fractions(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 10 * HOUR_US, 98_500)
    desk.read(meter, NOON_US + 10 * HOUR_US + HALF_HOUR_US, 103_330)
    account = explained(desk)[1]
    interval = account.interval
    assert (interval.before.register_wh, account.line.register_wh, interval.energy_wh) == (
        98_500,
        103_330,
        4_830,
    )
    night, over = interval.shares
    assert (night.period, night.block, night.energy_wh, night.price_micro) == ("night", 1, 1_500, 100_000)
    assert (over.block, over.block_from_wh, over.block_to_wh) == (2, 100_000, None)
    assert (over.counter_before_wh, over.counter_after_wh) == (100_000, 103_330)
    assert interval.energy_nano == 1_500 * 100_000 + 3_330 * 150_000
    assert interval.boundaries == () and interval.midnights == ()
    assert (
        -account.line.amount_micro
        == interval.charge.amount_micro
        == sum((interval.charge.energy_micro, interval.charge.standing_micro, interval.charge.tax_micro))
    )


def test_a_reading_over_a_price_change_names_the_reading_nobody_took(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 12 * HOUR_US, 12_000)
    interval = explained(desk)[0].interval
    (boundary,) = interval.boundaries
    assert (boundary.at_us, boundary.register_wh) == (NOON_US + 10 * HOUR_US, 10_000), "22:00 UTC is 23:00"
    (midnight,) = interval.midnights
    assert (midnight.at_us, midnight.micro) == (NOON_US + 11 * HOUR_US, 250_000)


def test_a_figure_that_was_stored_wrong_is_said_aloud(desk: Desk) -> None:
    from dataclasses import replace

    from django.db import connection

    from fairwatt.flows.explaining.line import explain_row
    from fairwatt.store.lines import line_at

    meter = desk.home()
    desk.pay(meter, 5_00, now_us=NOON_US)
    desk.read(meter, NOON_US + HOUR_US, 1_234)
    with connection.cursor() as cursor:
        lines = [
            line_at(cursor=cursor, book=desk.street.book, wallet=desk.street.wallets[0], seq=n)
            for n in (1, 2)
        ]
        for line in filter(None, lines):
            names = ["amount_micro"]
            if line.kind == 1:
                names += [
                    "energy_wh",
                    "energy_micro",
                    "tax_micro",
                    "standing_micro",
                    "counter_wh",
                    "carry_nano",
                ]
                names += ["carry_tax", "tariff_version"]
            for name in names:
                wrong = replace(line, **{name: getattr(line, name) + 1})
                told = explain_row(cursor=cursor, line=wrong)
                assert name in {difference.name for difference in told.differences}, name


def test_a_correction_names_what_it_corrects_and_the_line_names_its_correction(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 20 * HOUR_US, 20_000)
    desk.read(meter, NOON_US + 10 * HOUR_US, 1_000, now_us=NOON_US + 21 * HOUR_US)
    charge, late, energy, tax = explained(desk)
    assert [by.id for by in charge.corrected_by] == [str(energy.id), str(tax.id)]
    assert [by.id for by in late.corrected_by] == [str(energy.id), str(tax.id)]
    corrects = energy.corrects
    assert (corrects.cause, corrects.component) == ("late", "energy")
    assert (corrects.first_seq, corrects.last_seq) == (charge.line.seq, charge.line.seq)
    assert corrects.readings == ((NOON_US + 10 * HOUR_US, 1_000),)
    assert (corrects.new_exact - corrects.old_exact) // corrects.unit == energy.line.energy_micro < 0


def test_a_top_up_names_provider_and_a_masked_reference(desk: Desk) -> None:
    meter = desk.home()
    fact = desk.pay(meter, 5_00, now_us=NOON_US, provider_ref="prov-77001234")
    desk.post(now_us=NOON_US)
    (account,) = explained(desk)
    assert account.facts["provider"] == "sandbox"
    assert account.facts["provider_ref"] == "…1234"
    assert account.facts["fact"] == fact
    assert account.agrees


@pytest.mark.parametrize("text", ["", "7", "1-2", "1-2-3-4", "a-b-c", "1-2-99999999999999999999", "1-2--3"])
def test_what_is_no_line_id_is_told_so(text: str) -> None:
    from fairwatt.flows.explaining.ids import NotALineId, parse_line_id

    with pytest.raises(NotALineId, match="such as 1-17-342"):
        parse_line_id(text)


@pytest.mark.parametrize(("line", "code"), [("9-9", 2), ("99-1-1", 1)])
def test_the_command_tells_a_line_that_is_none_from_one_that_is_not_there(
    desk: Desk, line: str, code: int
) -> None:
    from fairwatt.cli.explaining import _explain
    from fairwatt.server.errors import OperatorError

    with pytest.raises(OperatorError) as refused:
        _explain(line, as_json=False, replay=False)
    assert refused.value.exit_code == code


def test_a_line_that_is_not_there_is_told_so(desk: Desk) -> None:
    from fairwatt.flows.explaining.ids import LineId
    from fairwatt.flows.explaining.line import NoSuchLine, explain_line

    desk.home()
    with pytest.raises(NoSuchLine, match="has no line 9"):
        explain_line(line_id=LineId(desk.street.book, desk.street.wallets[0], 9))


def test_a_line_is_found_by_its_number_without_reading_the_ledger_through(desk: Desk) -> None:
    from django.db import connection

    from fairwatt.store.lines import line_at

    meter = desk.home()
    for n in range(1, 60):
        if n != 31:
            desk.read(meter, NOON_US + n * 7 * HOUR_US, n * 900)
        if n % 20 == 0:
            desk.pay(meter, 5_00, now_us=NOON_US + n * 7 * HOUR_US)
    desk.read(meter, NOON_US + 31 * 7 * HOUR_US, 31 * 900 - 50, now_us=NOON_US + 60 * 7 * HOUR_US)
    asked: list[str] = []

    def heard(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    lines = desk.lines()
    assert {1, 2, 7} <= {line.kind for line in lines}
    with connection.cursor() as cursor, connection.execute_wrapper(heard):
        for line in lines:
            found = line_at(cursor=cursor, book=line.book, wallet=line.wallet, seq=line.seq)
            assert found is not None
            assert (found.seq, found.kind, found.ref) == (line.seq, line.kind, line.ref)
    assert asked and not [sql for sql in asked if "AND (true)" in sql], "a line was searched for everywhere"
