"""The demo's script takes lines away; who watches is told which, since when and until when."""

from fairwatt.simulate.demo import HISTORY_TICKS, scenario
from fairwatt.simulate.line_news import LineNews
from fairwatt.simulate.oracle import Tariff
from fairwatt.simulate.scenario import Scenario

STREET = scenario()


def _news(street: Scenario) -> LineNews:
    labels = [f"home{index}" for index in range(street.homes)]
    return LineNews(scenario=street, labels=labels, local=Tariff(text=street.terms.tariff_text).local)


def test_every_outage_of_the_live_demo_is_told_when_it_begins_and_when_it_ends() -> None:
    live = [one for one in STREET.outages if one.start_tick > HISTORY_TICKS]
    assert live
    for one in live:
        begun: list[str] = []
        back: list[str] = []
        _news(STREET).at(tick=one.start_tick, tell=begun.append)
        _news(STREET).at(tick=one.end_tick, tell=back.append)
        assert any(f"gw-{one.gateway + 1} " in line and "is cut off" in line for line in begun)
        assert any(f"gw-{one.gateway + 1} is back" in line for line in back)
        assert STREET.outage_of(gateway=one.gateway, tick=one.end_tick) is None


def test_a_start_tells_of_the_outage_that_is_near_or_under_way_and_of_no_other() -> None:
    one = next(one for one in STREET.outages if one.start_tick > HISTORY_TICKS)
    ahead, during, after = _opened(one.start_tick - 1), _opened(one.end_tick - 1), _opened(one.end_tick)
    assert len(ahead) == 1
    assert "will be cut off from Tue 2 Apr, 15:30 to Wed 3 Apr, 11:00" in ahead[0]
    assert len(during) == 1
    assert "is cut off" in during[0]
    assert after == []


def _opened(tick: int) -> list[str]:
    told: list[str] = []
    _news(STREET).opening(tick=tick, tell=told.append)
    return told
