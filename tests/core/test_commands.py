"""An order to a relay moves through one table and is proven by readings alone."""

import pytest

from fairwatt.core.commands.model import NEXT, OPEN_STATES, IllegalTransition, State, advance, proves

OPEN, CLOSED, UNKNOWN = 0, 1, 2


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


def test_only_a_reading_spooled_after_the_receipt_proves_an_order_or_contradicts_it() -> None:
    assert proves(ordered=OPEN, shown=OPEN, receipt_seq=5, reading_seq=6) is True
    assert proves(ordered=OPEN, shown=CLOSED, receipt_seq=5, reading_seq=6) is False
    for before in (4, 5):
        assert proves(ordered=OPEN, shown=OPEN, receipt_seq=5, reading_seq=before) is None


def test_a_relay_nobody_could_read_proves_nothing_and_contradicts_nothing() -> None:
    assert proves(ordered=CLOSED, shown=UNKNOWN, receipt_seq=5, reading_seq=6) is None
