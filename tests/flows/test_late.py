"""A reading that comes late is re-rated to the very totals it would have given in time."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwatt.server.launcher.services import Services
from support.desk import Desk, opened_desk
from support.house import as_role
from support.laws import check_laws
from support.street import DAY_US, HOUR_US, NOON_US, TARIFF, Street, reading

LATE, CORRECTION = 7, 3
MINUTE_US = 60_000_000
MODULUS_WH = 10**9
EVENING_US = 1_375_214_400_000_000
"""2013-07-30 20:00 UTC: tiers start again in 27 hours, prices change in 51."""
TWO_VERSIONS = (
    TARIFF
    + """
  - effective: 2013-08-02
    elements:
      - energy:
          counter: month
          blocks_kwh: [30, 150]
          periods:
            - {name: peak, hours: ["16:00-20:00"], prices: ["0.417", "0.503", "0.611"]}
            - {name: rest, hours: ["20:00-16:00"], prices: ["0.193", "0.277", "0.3"]}
      - standing: {per_day: "0.31"}
      - tax: {name: VAT, percent: "5.5", on: [energy, standing]}
"""
)
steps = st.lists(
    st.tuples(st.integers(7, 30 * 60), st.integers(0, 9_000)),  # minutes, watts
    min_size=2,
    max_size=9,
)


def totals(desk: Desk, meter: int) -> Any:
    """What a home was charged, and where its register stands in the tariff."""
    n = desk.street.homes.index(meter)
    mine = [line for line in desk.lines() if line.ref == desk.street.installations[n]]
    ix = desk.state.installation_index[desk.street.installations[n]]
    head = desk.state.registers[ix]
    return (
        *(
            sum(getattr(line, part) for line in mine)
            for part in ("energy_micro", "standing_micro", "tax_micro")
        ),
        *(int(head[name]) for name in ("at_us", "counter_wh", "window_us", "carry_nano", "carry_tax")),
        int(desk.state.wallets["balance_micro"][int(head["wallet_ix"])]),
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps, opening=st.sampled_from([0, MODULUS_WH - 20_000]), data=st.data())
def test_any_order_of_arrival_charges_what_order_in_time_would(
    house: Services, steps: list[tuple[int, int]], opening: int, data: st.DataObject
) -> None:
    ats = list(accumulate((minutes * MINUTE_US for minutes, _ in steps), initial=EVENING_US))[1:]
    used = accumulate(minutes * watts // 60 for minutes, watts in steps)
    read = [(at, (opening + wh) % MODULUS_WH) for at, wh in zip(ats, used, strict=True)]
    arrivals = data.draw(st.permutations(read), label="arrivals")
    cuts = data.draw(st.sets(st.integers(1, len(read) - 1)), label="batches end after")
    street = Street(tariff=TWO_VERSIONS, opened_us=EVENING_US)
    in_time, late = (street.open_home(opening_wh=opening) for _ in range(2))
    with opened_desk(street) as desk:
        now = ats[-1]
        desk.post(street.readings(*(reading(in_time, *at) for at in read)), now_us=now)
        for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(read)], strict=True):
            desk.post(street.readings(*(reading(late, *at) for at in arrivals[start:end])), now_us=now)
        assert totals(desk, late) == totals(desk, in_time)
        assert desk.quarantine() == []
        desk.open(now_us=now)
        assert totals(desk, late) == totals(desk, in_time), "and also after a restart that reads only lines"
        check_laws(street.book, acked=desk.acked)


@pytest.fixture
def night(house: Services) -> Street:
    """Opened at noon; the price changes at 22:00 UTC (23:00 in London)."""
    return Street()


def test_a_late_reading_moves_energy_over_a_price_boundary_and_back_money(night: Street) -> None:
    with opened_desk(night) as desk:
        meter = desk.home()
        desk.read(meter, NOON_US + 20 * HOUR_US, 20_000)
        before = desk.balance(meter)
        desk.read(meter, NOON_US + 10 * HOUR_US, 1_000, now_us=NOON_US + 21 * HOUR_US)
        late, energy, tax = desk.lines()[1:]
        assert (late.kind, late.energy_wh, late.amount_micro) == (LATE, 0, 0)
        assert (energy.kind, energy.energy_wh, energy.standing_micro, energy.tax_micro) == (
            CORRECTION,
            0,
            0,
            0,
        )
        assert (tax.kind, tax.energy_micro, tax.standing_micro) == (CORRECTION, 0, 0), "one line a component"
        given = energy.amount_micro + tax.amount_micro
        assert given == desk.balance(meter) - before > 0
        (event,) = desk.events("reading.late")
        assert event.evidence["difference_micro"] == -given
        check_laws(night.book, acked=desk.acked)


def test_the_same_late_reading_twice_corrects_once(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 20 * HOUR_US, 20_000)
    for _ in range(2):
        desk.read(meter, NOON_US + 10 * HOUR_US, 1_000, now_us=NOON_US + 21 * HOUR_US)
    assert [line.kind for line in desk.lines()] == [1, LATE, CORRECTION, CORRECTION]


def test_two_corrections_fit_into_one_instant_of_a_clock_that_stands_still(desk: Desk) -> None:
    meter = desk.home()
    now = NOON_US + 21 * HOUR_US
    desk.read(meter, NOON_US + 20 * HOUR_US, 20_000, now_us=now)
    desk.read(meter, NOON_US + 9 * HOUR_US, 1_000, now_us=now)
    desk.read(meter, NOON_US + 10 * HOUR_US, 19_000, now_us=now)
    assert [line.kind for line in desk.lines()] == [1, *[LATE, CORRECTION, CORRECTION] * 2]


def test_a_late_reading_that_contradicts_the_ledger_is_quarantined(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + HOUR_US, 1_000)
    desk.read(meter, NOON_US + 3 * HOUR_US, 2_000)
    now = NOON_US + 4 * HOUR_US
    desk.read(meter, NOON_US + HOUR_US, 1_010, now_us=now)
    desk.read(meter, NOON_US + 2 * HOUR_US, 500, now_us=now)
    desk.read(meter, NOON_US + 2 * HOUR_US, 900_000, now_us=now)
    desk.read(meter, NOON_US - HOUR_US, 0, now_us=now)
    assert desk.quarantine() == [
        "conflicting_reading",
        "backward_register",
        "impossible_register",
        "before_installation",
    ]
    assert len(desk.lines()) == 2


def test_a_correction_gives_the_gateway_a_fresh_grant(desk: Desk) -> None:
    meter = desk.home()
    desk.read(meter, NOON_US + 20 * HOUR_US, 20_000)
    given_before = len(desk.orders())
    desk.read(meter, NOON_US + 10 * HOUR_US, 1_000, now_us=NOON_US + 21 * HOUR_US)
    (fresh,) = desk.orders()[given_before:]
    grant = desk.command(fresh).body.grant
    assert grant is not None
    assert grant.available_micro == desk.balance(meter)


def test_a_tariff_cannot_be_rewritten_for_days_that_were_charged(street: Street, desk: Desk) -> None:
    from fairwatt.flows import provision

    desk.home()

    def publish(text: str, now_us: int) -> None:
        with as_role("migrate"):
            provision.publish_tariff(
                book_id=street.book, slug="tariff", name="Tariff", text=text, now_us=now_us
            )

    with pytest.raises(provision.TariffRewritesPast, match="nobody"):
        publish(street.tariff.replace("0.20", "0.21"), NOON_US + DAY_US)
    with pytest.raises(provision.TariffRewritesPast):
        publish(TWO_VERSIONS, EVENING_US + 60 * DAY_US)
    publish(TWO_VERSIONS, EVENING_US)
