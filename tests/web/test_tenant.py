"""What a resident reads is what the ledger holds, and every sum adds up."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from django.template.loader import render_to_string

from web.scene import DAY_US, DRY, HOUR_US, MIDNIGHT_US, NOW_US, PROTECTED, Scene

YUAN = 1_000_000


def home_of(scene: Scene, n: int) -> Any:
    from fairwatt.store.models import Wallet
    from fairwatt.web.tenant.queries import home

    wallet = Wallet.objects.select_related("book", "unit__site").get(pk=scene.wallets[n])
    return home(wallet=wallet, now_us=NOW_US)


def by_meter(scene: Scene, tail: int) -> int:
    return scene.homes.index(210_000_000_000 + tail)


def test_the_balance_is_the_last_line_of_the_ledger(scene: Scene) -> None:
    from fairwatt.store.models import Line
    from support.house import as_role

    home = home_of(scene, 3)
    with as_role("poster"):
        last = Line.objects.filter(book=scene.book, wallet=scene.wallets[3]).order_by("-seq").first()
    assert last is not None
    assert home.balance_micro == last.balance_micro


def test_todays_slots_add_up_to_today(scene: Scene) -> None:
    today = home_of(scene, 3).today
    assert today.energy_wh == sum(wh for wh in today.slots_wh if wh is not None)
    assert today.cost_micro == sum(micro for micro in today.slots_micro if micro is not None)


def test_a_page_names_the_days_left_and_the_date(scene: Scene, signed_in: Any) -> None:
    page = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/").content.decode()
    left = home_of(scene, 0).outlook.days_left
    assert re.search(rf"<b>{left}</b> <small>days? left</small>", page)
    assert "Runs out <b>" in page
    assert "at today's prices" in page


def test_the_pages_are_kept_by_no_cache(scene: Scene, signed_in: Any) -> None:
    response = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/")
    assert "no-store" in response["Cache-Control"]


def test_a_cut_home_reads_why_and_what_to_pay(scene: Scene, other: Scene) -> None:
    home = home_of(other, by_meter(other, DRY))
    assert (home.supply.state, home.supply.by_credit, home.supply.reason) == ("off", True, "balance_empty")
    assert home.supply.since_us is not None and home.supply.since_us <= NOW_US
    assert home.supply.pay_at_least_minor > 0
    assert home.warned is not None and home.warned.at_us + home.warned.lead_us == home.supply.since_us
    words = render_to_string("tenant/_hero.html", {"home": home, "currency": "CNY", "zone": home.zone})
    assert re.search(r"The first warning came on [^<]+, \d+ (hour|day)s? before", words)


def test_a_protected_home_keeps_its_power_and_reads_why(scene: Scene) -> None:
    supply = home_of(scene, by_meter(scene, PROTECTED)).supply
    assert (supply.state, supply.reason) == ("kept", "protected")
    assert supply.pay_at_least_minor > 0


@pytest.mark.parametrize(
    ("available", "least"), [(1, 0), (0, 1), (-1, 1), (-9_999, 1), (-10_000, 2), (-43_195_000, 4320)]
)
def test_the_least_payment_leaves_credit_above_zero(scene: Scene, available: int, least: int) -> None:
    from fairwatt.core.credit.owing import least_to_restore

    asked = least_to_restore(available_micro=available, emergency_owed_micro=0, debts=(), minor_micro=10_000)
    assert asked == least
    assert available > 0 or available + least * 10_000 > 0
    assert available > 0 or available + (least - 1) * 10_000 <= 0


def test_presets_are_this_homes_own_use_rounded_up_with_the_debt(scene: Scene) -> None:
    from fairwatt.web.forecast import pace_of
    from fairwatt.web.tenant.amounts import presets

    pace = pace_of(costs_micro=[3 * YUAN] * 14)
    assert [p.amount_minor for p in presets(pace=pace, available_micro=9 * YUAN, minor_digits=2)] == [
        25_00,
        45_00,
        90_00,
    ]
    owing = presets(pace=pace, available_micro=-10 * YUAN, minor_digits=2)
    assert [p.amount_minor for p in owing] == [35_00, 60_00, 100_00]


def test_without_history_presets_are_plain_amounts(scene: Scene) -> None:
    from fairwatt.web.forecast import pace_of
    from fairwatt.web.tenant.amounts import presets

    plain = presets(pace=pace_of(costs_micro=[]), available_micro=0, minor_digits=2)
    assert [(p.days, p.amount_minor) for p in plain] == [(0, 20_00), (0, 50_00), (0, 100_00)]


def test_every_charge_of_a_day_adds_up_to_the_day(scene: Scene) -> None:
    from fairwatt.store.models import UseDay, Wallet
    from fairwatt.web.tenant.queries import movements_of_day
    from support.house import as_role

    wallet = Wallet.objects.select_related("book").get(pk=scene.wallets[3])
    day_us = MIDNIGHT_US - 3 * DAY_US
    listed = movements_of_day(wallet=wallet, day_us=day_us)
    with as_role("poster"):
        day = UseDay.objects.get(wallet=wallet.pk, day_us=day_us)
    assert -sum(m.amount_micro for m in listed if m.is_use) == day.cost_micro
    assert sum(m.energy_wh for m in listed) == day.energy_wh


def test_a_charge_explains_itself_in_one_line(scene: Scene) -> None:
    from fairwatt.store.models import Wallet
    from fairwatt.web.tenant.queries import movements_of_day

    wallet = Wallet.objects.select_related("book").get(pk=scene.wallets[3])
    listed = movements_of_day(wallet=wallet, day_us=MIDNIGHT_US - DAY_US)
    noon = next(m for m in listed if m.title == "12:00–12:30")
    assert re.fullmatch(r"\d\.\d+ kWh × ¥0\.568 peak, tier 1 \+ 13% VAT = ¥0\.\d+", noon.sum_words)
    # The charge at midnight carries the day's standing charge; a reading at 00:00 closes the day before.
    assert "standing charge ¥0.20" in listed[0].sum_words


def test_hours_without_use_are_one_entry(scene: Scene) -> None:
    from types import SimpleNamespace

    from fairwatt.core.spans import to_datetime
    from fairwatt.web.tenant.history import movements

    idle = [
        SimpleNamespace(
            ts=to_datetime(MIDNIGHT_US + n * HOUR_US),
            kind=1,
            ref=1,
            book=1,
            wallet=1,
            seq=n,
            energy_wh=0,
            amount_micro=0,
            energy_micro=0,
            standing_micro=0,
            tax_micro=0,
            balance_micro=5,
            tariff_version=1,
            counter_wh=0,
        )
        for n in range(1, 6)
    ]
    (only,) = movements(lines=idle, schedule=None, zone="Asia/Shanghai", currency="CNY")  # type: ignore[arg-type]
    assert only.title.endswith("–05:00")


def a_day(n: int, costs: list[int | None], close: int) -> Any:
    from types import SimpleNamespace

    return SimpleNamespace(day_us=MIDNIGHT_US + n * DAY_US, slots_micro=costs, close_micro=close)


@pytest.mark.parametrize(
    "paid_us", [MIDNIGHT_US, MIDNIGHT_US - 1, MIDNIGHT_US + 1, MIDNIGHT_US + HOUR_US // 2]
)
def test_the_balance_line_never_shows_money_that_was_not_there(paid_us: int) -> None:
    from types import SimpleNamespace

    from fairwatt.web.tenant.history import balance_points

    costs: list[int | None] = [1_000] * 48
    paid_before = paid_us <= MIDNIGHT_US
    days = [
        a_day(-2, costs, 10 * YUAN),
        a_day(-1, costs, 10 * YUAN - 48_000 + (5 * YUAN if paid_before else 0)),
        a_day(0, costs, 15 * YUAN - 96_000),
    ]
    points = balance_points(
        days=days,
        top_ups=[SimpleNamespace(credited_us=paid_us, amount_minor=500)],  # type: ignore[list-item]
        minor_micro=10_000,
        zone="Asia/Shanghai",
        now_us=MIDNIGHT_US + DAY_US,
        balance_micro=15 * YUAN - 96_000,
    )
    assert max(micro for _, micro in points) <= 15 * YUAN - 47_000
    steps = [after[1] - before[1] for before, after in itertools.pairwise(points)]
    assert [step for step in steps if step > 0] == [5 * YUAN]


def test_a_charge_is_never_shown_larger_than_it_is_and_equals_its_sum(scene: Scene, signed_in: Any) -> None:
    from fairwatt.web.design import format as text

    assert text.charge(micro=-510_150, currency="GBP") == "−£0.5101"
    assert text.charge(micro=510_150, currency="GBP") == "£0.5101"
    for micro, currency, shown in (
        (12_500_000, "CNY", "¥12.50"),
        (-12_500_000, "CNY", "−¥12.50"),
        (12_500_001, "CNY", "¥12.5000"),
        (12_000_000, "UGX", "UGX 12"),
        (12_500_000, "UGX", "UGX 12.5000"),
        (12_345_000, "KWD", "KWD 12.345"),
    ):
        assert text.charge(micro=micro, currency=currency) == shown, (micro, currency)
    day = "2026-11-19"
    page = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/charges/?day={day}").content.decode()
    shown = re.findall(r'= ¥([\d.]+)</span>.*?<div class="amount">−¥([\d.]+)</div>', page, re.S)
    assert len(shown) > 40 and all(total == amount for total, amount in shown)


def test_a_small_debt_is_the_same_for_tenant_and_desk() -> None:
    from fairwatt.web.design import format as text

    for micro in (-1, -120, -5_000, -9_999, -10_000, -10_001, -4_999_999):
        owed = text.owed(micro=-micro, currency="GBP")
        assert text.money(micro=micro, currency="GBP") == f"−{owed}"
        assert owed.strip("£0.") != ""


def test_the_totals_of_a_day_are_the_ledgers(scene: Scene, signed_in: Any) -> None:
    from django.db.models import Sum

    from fairwatt.core.spans import to_datetime
    from fairwatt.store.models import Line
    from fairwatt.web.design import format as text
    from support.house import as_role

    day_us = MIDNIGHT_US - 2 * DAY_US
    with as_role("poster"):
        lines = Line.objects.filter(
            wallet=scene.wallets[0], ts__gt=to_datetime(day_us), ts__lte=to_datetime(day_us + DAY_US)
        ).aggregate(wh=Sum("energy_wh"), micro=Sum("amount_micro"))
    page = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/charges/?day=2026-11-19").content.decode()
    assert f"<dd>{text.money_exact(micro=-lines['micro'], currency='CNY')}</dd>" in page
    assert f"<dd>{text.kwh(wh=lines['wh'], places=2)}</dd>" in page


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("2012-01-01", 200, "No charges that day"),
        ("2099-01-01", 200, "No charges that day"),
        ("9999-12-31", 200, "No charges that day"),
        ("abc", 400, "A day is written as 2026-11-21"),
    ],
)
def test_a_day_without_charges_says_so(
    scene: Scene, signed_in: Any, asked: str, status: int, said: str
) -> None:
    response = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/charges/", {"day": asked})
    assert response.status_code == status
    assert said in response.content.decode()


def test_a_silent_meter_is_told_and_nothing_is_called_now(scene: Scene, signed_in: Any, clock: Any) -> None:
    clock.at_us = NOW_US + 48 * HOUR_US  # whatever other tests let the meter say in the meantime
    page = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/").content.decode()
    assert "not heard since" in page and "pill-silent" in page
    assert "Right now" not in page and "Power is on" not in page
    assert page.count("<dd>not known</dd>") == 2 and "Your meter was not heard today" in page


def test_what_was_used_before_a_meter_fell_silent_is_said_with_its_end(
    scene: Scene, signed_in: Any, clock: Any
) -> None:
    clock.at_us = NOW_US + HOUR_US
    page = signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/").content.decode()
    assert "This is what was heard until 18:" in page and "<dd>not known</dd>" not in page


def test_a_line_over_several_prices_is_one_sum_per_price(scene: Scene) -> None:
    from types import SimpleNamespace

    from fairwatt.core.rating.scalar import opening_state, rate
    from fairwatt.core.rating.segments import SegmentTable
    from fairwatt.core.rating.tariff_file import parse_schedule
    from fairwatt.core.spans import to_datetime
    from fairwatt.web.tenant.sums import Sums, Use
    from web.scene import TARIFF

    schedule = parse_schedule(TARIFF)
    table, start_us = SegmentTable(schedule=schedule), MIDNIGHT_US + 7 * HOUR_US
    before = opening_state(schedule=schedule, at_us=start_us, register_wh=0, counter_wh=199_000)
    charge, after = rate(
        table=table, state=before, at_us=start_us + 2 * HOUR_US, register_wh=3_000, energy_wh=3_000
    )
    line = SimpleNamespace(
        ts=to_datetime(start_us + 2 * HOUR_US),
        counter_wh=after.counter_wh,
        energy_wh=charge.energy_wh,
        energy_micro=charge.energy_micro,
        standing_micro=0,
        tax_micro=charge.tax_micro,
        tariff_version=schedule.versions[0].number,
    )
    said = Sums(schedule=schedule, currency="CNY").in_words(
        group=[Use(line=line, start_us=start_us)],  # type: ignore[arg-type]
        energy_wh=3_000,
    )
    assert said == (
        "1.00 kWh × ¥0.288 valley, tier 1 + 0.50 kWh × ¥0.338 valley, tier 2 + 1.50 kWh × ¥0.618 peak, tier 2"
        " + 13% VAT = ¥1.5639"
    )


def test_the_least_payment_says_how_long_it_lasts_and_what_a_day_costs(other: Scene, scene: Scene) -> None:
    from fairwatt.web.forecast import pace_of
    from fairwatt.web.least import least_of

    least = least_of(
        minor=321, available_micro=-3_205_000, pace=pace_of(costs_micro=[4 * YUAN] * 5), minor_digits=2
    )
    assert least is not None
    assert (least.micro, least.day_micro, least.three_micro) == (3_210_000, 8 * YUAN, 16 * YUAN)
    assert least.lasts_us < HOUR_US and not least.buys_time
    assert home_of(other, by_meter(other, DRY)).least.day_micro > 0


def test_the_least_is_said_to_buy_no_time_on_the_page_and_at_the_desk(other: Scene, signed_in: Any) -> None:
    from fairwatt.store.models import Tenancy, Wallet
    from support.house import as_role

    wallet = Wallet.objects.get(pk=other.wallets[by_meter(other, DRY)])
    with as_role("migrate"):
        lives = Tenancy.objects.create(wallet=wallet, user=other.owner, start_us=other.opened_us)
    home = signed_in(other.owner).get(f"/home/{wallet.public_id}/").content.decode()
    with as_role("migrate"):
        lives.delete()
    desk = signed_in(other.operator).get(f"/console/{other.slug}/cash/?wallet={wallet.pk}").content.decode()
    least = home_of(other, by_meter(other, DRY)).least
    for page in (home, desk):
        assert "That alone buys no time" in page
        assert (
            f"usual use pay ¥{least.day_micro // YUAN}, to last three pay ¥{least.three_micro // YUAN}."
            in page
        )


def test_the_balance_line_jumps_at_the_top_up_and_ends_now(scene: Scene) -> None:
    home = home_of(scene, 0)
    steps = [after[1] - before[1] for before, after in zip(home.points, home.points[1:], strict=False)]
    assert max(steps) == 30 * YUAN
    assert home.points[-1] == (NOW_US, home.balance_micro)
    assert [at for at, _ in home.points] == sorted(at for at, _ in home.points)


@pytest.mark.parametrize(
    ("typed", "minor"),
    [("50", 5000), ("50.5", 5050), ("0,01", 1), (" 1 000 ", 100_000), ("007", 700)],
)
def test_a_typed_amount_is_read_exactly(scene: Scene, typed: str, minor: int) -> None:
    from fairwatt.web.tenant.forms import TopUpForm

    form = TopUpForm(data={"choice": "other", "amount": typed}, minor_digits=2)
    assert form.is_valid() and form.cleaned_data["amount_minor"] == minor


@pytest.mark.parametrize("typed", ["", "0", "-5", "1.234", "ten", "5001", "1e3", "٥"])
def test_an_amount_that_cannot_be_paid_is_refused_in_words(scene: Scene, signed_in: Any, typed: str) -> None:
    response = signed_in(scene.owner).post(
        f"/home/{scene.public_id(0)}/top-up/", {"choice": "other", "amount": typed}
    )
    assert response.status_code == 422
    assert "Nothing has been paid" in response.content.decode()


def test_paying_leads_to_the_platform_and_the_browser_may_go_there(scene: Scene, signed_in: Any) -> None:
    from django.conf import settings

    client = signed_in(scene.owner)
    page = client.get(f"/home/{scene.public_id(0)}/")
    assert settings.FAIRWATT_PAYSIM_URL in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    response = client.post(f"/home/{scene.public_id(0)}/top-up/", {"choice": "2500"})
    assert response.status_code == 302
    assert response["Location"].startswith(f"{settings.FAIRWATT_PAYSIM_URL}/pay?")
    assert "amount_minor=2500" in response["Location"]


def test_a_home_that_was_never_read_says_so(house: Any, signed_in: Any) -> None:
    fresh = Scene(floors=1, columns=1)
    page = signed_in(fresh.owner).get(f"/home/{fresh.public_id(0)}/").content.decode()
    assert "not read yet" in page
    assert "No credit left" in page
