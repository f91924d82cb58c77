"""An order to a relay moves through one table and is proven by readings alone."""

import pytest

from fairwatt.core.commands.model import NEXT, OPEN_STATES, IllegalTransition, RelayOrder, State, advance

CUT = RelayOrder(meter=7, seq=3, closed=False, issued_us=100, expires_us=200)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("to", State)
def test_an_order_moves_only_where_the_table_lets_it(state: State, to: State) -> None:
    if to in NEXT[state]:
        assert advance(state, to) is to
    else:
        with pytest.raises(IllegalTransition, match=f"{state} cannot become {to}"):
            advance(state, to)


def test_every_open_order_can_end_and_an_ended_one_stays_ended() -> None:
    ended = set(State) - OPEN_STATES
    assert ended == {State.PROVEN, State.EXPIRED, State.SUPERSEDED, State.FAILED}
    for state in OPEN_STATES:
        assert NEXT[state] & ended
        assert State.SUPERSEDED in NEXT[state]


def test_an_accepted_order_no_longer_expires_it_is_proven_or_fails() -> None:
    assert State.EXPIRED not in NEXT[State.ACCEPTED]


def test_only_a_later_reading_with_the_relay_as_ordered_proves_it() -> None:
    assert CUT.proven_by(reading_at_us=101, relay_closed=False)
    assert not CUT.proven_by(reading_at_us=100, relay_closed=False)
    assert not CUT.proven_by(reading_at_us=101, relay_closed=True)
    assert not CUT.proven_by(reading_at_us=101, relay_closed=None)


def test_a_newer_order_supersedes_older_ones_of_its_meter_only() -> None:
    newer = RelayOrder(meter=7, seq=4, closed=True, issued_us=150, expires_us=300)
    other = RelayOrder(meter=8, seq=9, closed=True, issued_us=150, expires_us=300)
    assert newer.supersedes(older=CUT)
    assert not CUT.supersedes(older=newer)
    assert not CUT.supersedes(older=CUT)
    assert not other.supersedes(older=CUT)


def test_an_order_lapses_at_its_expiry() -> None:
    assert not CUT.expired(now_us=199)
    assert CUT.expired(now_us=200)
    with pytest.raises(ValueError, match="expire after"):
        RelayOrder(meter=7, seq=1, closed=True, issued_us=5, expires_us=5)
    with pytest.raises(ValueError, match="above zero"):
        RelayOrder(meter=7, seq=0, closed=True, issued_us=5, expires_us=6)
