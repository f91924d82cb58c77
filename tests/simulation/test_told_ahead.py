"""How long before a cut somebody was told by days: money or a cut ends each story."""

from fairwatt.core.units import US_PER_DAY
from fairwatt.simulate.eyes import Happened
from fairwatt.simulate.foresight import BY_FORECAST, Told, told_of
from fairwatt.simulate.scenario import STAYING_HOMES, Scenario


def test_the_first_warning_that_names_days_counts_until_money_or_the_cut_comes() -> None:
    def at(day: int, kind: str, rule: str = "", wallet: int = 1) -> Happened:
        return Happened(day, day * US_PER_DAY, kind, wallet, None, "", rule)

    story = [
        at(1, "warning.low", BY_FORECAST),
        at(2, "payment.credited"),
        at(3, "warning.low", BY_FORECAST),
        at(4, "warning.critical", "credit.threshold"),
        at(6, "supply.cut"),
        at(7, "supply.cut"),
        at(8, "warning.low", "credit.threshold"),
        at(9, "warning.low", BY_FORECAST, wallet=2),
    ]
    assert told_of(story) == [
        Told(1, US_PER_DAY, None, open=False),
        Told(1, 3 * US_PER_DAY, 6 * US_PER_DAY, open=False),
        Told(2, 9 * US_PER_DAY),
    ]


def test_a_long_street_has_one_home_that_is_told_days_ahead_and_a_short_one_none() -> None:
    home = Scenario.demo().foreseen
    assert home is not None and home not in STAYING_HOMES
    assert Scenario.from_seed(7, days=5, homes=8).foreseen is None
