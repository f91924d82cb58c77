"""Behind current transformers a register stays as read, and its rise times the ratio is charged, in cloud and edge."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fairwatt.core.metering.register import RegisterSpec
from fairwatt.core.metering.transformer import DIRECT, Transformer, TransformerError, parse_ratio
from fairwatt.edge.guard import Guard
from fairwatt.server.launcher.services import Services
from fairwatt.wire.records import Reading, Relay
from fairwatt.wire.standing import LimitPower
from flows.test_explain import explained, replayed
from flows.test_windows import charged
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, HOUR_US, NOON_US, TARIFF, Street, reading

pytestmark = pytest.mark.usefixtures("house")

MODULUS = 10**9
MODEL = "dlt645_three_phase"
SPEC = RegisterSpec(modulus_wh=MODULUS, resolution_wh=10, max_power_w=20_000)
RATIOS = [
    Transformer(100, 5),
    Transformer(7, 3),
    Transformer(1, 1),
    Transformer(400, 1),
    Transformer(999, 998),
]


def whole(shown: int, ratio: Transformer) -> int:
    return shown * ratio.primary // ratio.secondary


def watched(desk: Desk, meter: int) -> Guard:
    """A gateway that holds the home's newest grant."""
    grant: Any = desk.command(desk.orders()[-1]).body.grant
    guard = Guard(specs={meter: SPEC})
    guard.take_grant(meter=meter, grant=grant)
    return guard


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    ratio=st.sampled_from(RATIOS),
    steps=st.lists(st.integers(0, 9_999), min_size=1, max_size=6),
    opening=st.sampled_from([0, 123_457, MODULUS - 3_000]),
)
def test_cloud_and_edge_charge_the_same_through_any_transformers(
    house: Services, ratio: Transformer, steps: list[int], opening: int
) -> None:
    with opened_desk(Street(tariff=TARIFF)) as desk:
        meter = desk.home(opening_wh=opening, transformer=ratio, profile=MODEL)
        desk.pay(meter, 50_000_00, now_us=NOON_US)
        desk.read(meter, NOON_US + HOUR_US, opening)
        guard = watched(desk, meter)
        for hour, risen in enumerate(accumulate(steps), start=2):
            at, shown = NOON_US + hour * HOUR_US, (opening + risen) % MODULUS
            guard.take_reading(Reading(meter, at, shown, relay=Relay.CLOSED))
            desk.read(meter, at, shown)
            assert guard.available_micro(wallet=desk.street.wallets[0]) == desk.balance(meter)
        read = [line for line in desk.lines() if line.kind == 1]
        rise = whole(opening + sum(steps), ratio) - whole(opening, ratio)
        wraps = whole(MODULUS, ratio) - whole(0, ratio) if opening + sum(steps) >= MODULUS else 0
        ended = whole((opening + sum(steps)) % MODULUS, ratio) + wraps - whole(opening, ratio)
        assert sum(line.energy_wh for line in read) == ended and abs(ended - rise) <= 1
        assert [line.register_wh for line in read][-1] == (opening + sum(steps)) % MODULUS, "as it was read"
        assert all(account.differences == () for account in explained(desk))
        assert replayed(desk).slips == []


def test_readings_in_any_order_come_to_the_same_money() -> None:
    told = set()
    shown = [1_003, 2_999, 3_001, 17_777, 18_002]
    for order in ([0, 1, 2, 3, 4], [4, 0, 2, 1, 3], [2, 4, 1, 3, 0]):
        with opened_desk(Street(tariff=TARIFF)) as desk:
            meter = desk.home(transformer=Transformer(7, 3), profile=MODEL)
            for n in order:
                desk.read(meter, NOON_US + (n + 1) * HOUR_US, shown[n], now_us=NOON_US + DAY_US)
            assert sum(line.energy_wh for line in desk.lines()) == whole(shown[-1], Transformer(7, 3))
            assert all(account.differences == () for account in explained(desk))
            told.add(charged(desk, meter))
            check_laws(desk.street.book, acked=desk.acked)
    assert len(told) == 1


def test_a_model_that_multiplies_by_itself_is_not_multiplied_again() -> None:
    with opened_desk(Street(tariff=TARIFF)) as desk:
        meter = desk.home(transformer=Transformer(100, 5), profile="modbus_three_phase_ct")
        desk.read(meter, NOON_US + HOUR_US, 5_000)
        assert [line.energy_wh for line in desk.lines()] == [5_000]
        from fairwatt.store.models import Installation

        [row] = Installation.objects.filter(pk__in=desk.street.installations)
        assert (row.ct_primary, row.ct_secondary, row.ct_in_register, row.transformer) == (
            100,
            5,
            True,
            (1, 1),
        )


def test_the_power_of_a_home_is_that_of_its_own_wires() -> None:
    with opened_desk(Street(tariff=TARIFF)) as desk:
        meter = desk.home(transformer=Transformer(100, 5), profile=MODEL)
        one = Reading(meter, NOON_US + HOUR_US, 100, 321, 2_300, relay=Relay.CLOSED)
        desk.post(desk.street.readings(one), now_us=NOON_US + HOUR_US)
        assert desk.state.registers["power_w"].tolist() == [6_420]


def test_the_ratio_is_told_in_both_languages_and_in_the_arithmetic() -> None:
    from django.utils import translation

    from fairwatt.web.design.arithmetic import steps as steps_of
    from fairwatt.web.design.sentences import sentence

    with opened_desk(Street(tariff=TARIFF)) as desk:
        meter = desk.home(transformer=Transformer(100, 5), profile=MODEL)
        desk.post(desk.street.readings(reading(meter, NOON_US + HOUR_US, 125)), now_us=NOON_US + HOUR_US)
        [account] = explained(desk)
        with translation.override("en"):
            told, rows = sentence(account=account), steps_of(account=account)
        assert told == (
            "2.5 kWh from 13:00 to 14:00, block 1 of the month (2.5 kWh of 100 kWh), day £0.20/kWh = £0.50; "
            "5% tax £0.025. Charged £0.525. The meter measures through current transformers of 100:5: its register "
            "rose by 0.125 kWh, and that times 100 / 5 is what was used."
        )
        with translation.override("zh-hans"):
            assert "电流互感器 100:5" in sentence(account=account)
        figures = {step.label: (step.detail, step.figure) for step in rows}
        assert figures["Register after"][1] == "0.125 kWh"
        assert figures["Used"][1] == "2.5 kWh" and "100 / 5" in figures["Used"][0]


@pytest.mark.parametrize(
    "text", ["5:100", "0:5", "100:0", "100", "a:b", "100:5:1", "99999:1", "-1:1", "1.5:1"]
)
def test_a_ratio_that_no_transformer_has_is_refused_by_name(text: str) -> None:
    with pytest.raises(TransformerError):
        parse_ratio(text)


def test_a_ratio_reads_as_printed() -> None:
    assert [parse_ratio(text) for text in ("100:5", " 150/5 ", "", "1:1")] == [
        Transformer(100, 5),
        Transformer(150, 5),
        DIRECT,
        DIRECT,
    ]
    ratio = Transformer(100, 5)
    assert (ratio.of_conductor(321), ratio.of_meter(6_439), ratio.of_meter(3)) == (6_420, 321, 1)


def test_a_limit_of_the_wires_reaches_the_meter_as_its_share() -> None:
    from flows.test_pushes import advance, say, start, states

    with opened_desk(Street(tariff=TARIFF)) as desk:
        meter = desk.home(transformer=Transformer(100, 5), profile=MODEL)
        push = start(desk, "limit_power", {"limit_w": 40_000}, meters=[meter])
        [command] = advance(desk)
        assert command.body == LimitPower(2_000)
        say(desk, command, limit_w=2_000)
        advance(desk)
        assert states(desk, push) == ("done", {"proven": 1})


def test_seconds_are_told_as_of_the_wires() -> None:
    from fairwatt.flows.seconds import in_steps, read_seconds
    from fairwatt.store.models import Installation
    from fairwatt.web.access import Scope, seeing
    from fairwatt.wire.records import UNKNOWN_I32
    from store.test_telemetry import NOW_S, NOW_US, block, keep

    street = Street(opened_us=NOW_US - DAY_US)
    street.open_home(transformer=Transformer(7, 3), profile=MODEL)
    keep(street, block(1, NOW_S - 600, *street.homes))
    with as_role("web"):
        [row] = Installation.objects.filter(pk__in=street.installations)
        with seeing(scope=Scope(books=(street.book,), wallets=None)):
            values = read_seconds(meter=row.meter_id, from_s=NOW_S - 605, until_s=NOW_S - 590)
    assert values[0].tolist() == [UNKNOWN_I32] * 5 + [(100 + n) * 7 // 3 for n in range(10)]
    assert values[1].tolist()[5:] == [2_200] * 10, "the voltage comes whole"
    assert in_steps(values, step=60)[2].most.tolist() == [450 * 7 // 3]


def test_who_moves_in_takes_no_transformers_away_and_none_are_changed_silently() -> None:
    from django.db import DatabaseError, transaction

    from fairwatt.store.models import Installation

    street = Street(tariff=TARIFF)
    street.open_home(transformer=Transformer(100, 5), profile=MODEL)
    with as_role("migrate"):
        [row] = Installation.objects.filter(pk__in=street.installations)
        with pytest.raises(DatabaseError, match="another installation"), transaction.atomic():
            Installation.objects.filter(pk=row.pk).update(ct_primary=1, ct_secondary=1)
        Installation.objects.filter(pk=row.pk).update(closed_us=NOON_US + DAY_US)
        same = {"meter": row.meter, "unit": row.unit, "wallet": row.wallet, "plan": row.plan}
        later = Installation.objects.create(**same, opened_us=NOON_US + DAY_US, opening_wh=0)
        assert later.transformer == (100, 5)
        Installation.objects.filter(pk=later.pk).update(closed_us=NOON_US + 2 * DAY_US)
        taken_out = Installation.objects.create(
            **same, opened_us=NOON_US + 2 * DAY_US, opening_wh=0, ct_primary=1, ct_secondary=1
        )
        assert taken_out.transformer == (1, 1)
