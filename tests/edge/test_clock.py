"""The gateway's clock: small errors are worked off, large ones end at once, and time never falls by itself."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from fairwatt.edge.clock import DRIFT_PPM_MAX, SLEW_PPM, STEP_US, Clock
from fairwatt.server.clock import SteadyClock

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


class Crystal:
    """A raw clock that gains or loses some millionths."""

    def __init__(self, *, ppm: int = 0) -> None:
        self.true_us = 1_000_000 * SECOND_US
        self.offset_us = 0
        self.ppm = ppm

    def __call__(self) -> int:
        return self.true_us + self.offset_us

    def forward(self, us: int) -> None:
        self.true_us += us
        self.offset_us += us * self.ppm // 1_000_000


def test_a_small_error_is_worked_off_and_told_once() -> None:
    crystal = Crystal()
    clock = Clock(raw=crystal)
    assert clock.learn(offset_us=3 * SECOND_US, doubt_us=1000) == 3 * SECOND_US
    before = clock.now_us()
    crystal.forward(MINUTE_US)
    assert clock.now_us() - before == MINUTE_US + MINUTE_US * SLEW_PPM // 1_000_000
    assert clock.learn(offset_us=clock.offset_us, doubt_us=1000) is None, "it is being worked off"
    for _ in range(200):
        crystal.forward(MINUTE_US)
        clock.now_us()
    assert clock.now_us() == crystal() + 3 * SECOND_US


def test_what_may_be_no_error_and_what_is_not_sure_teaches_nothing() -> None:
    clock = Clock(raw=Crystal())
    assert clock.learn(offset_us=400_000, doubt_us=500_000) is None
    assert clock.offset_us == 0
    assert clock.learn(offset_us=30 * SECOND_US, doubt_us=60 * SECOND_US) is None
    assert clock.offset_us == 0


def test_a_large_error_is_ended_at_once_in_either_direction() -> None:
    crystal = Crystal()
    clock = Clock(raw=crystal)
    before = clock.now_us()
    clock.step(STEP_US * 2)
    assert clock.now_us() == before + STEP_US * 2
    clock.step(-STEP_US * 3)
    assert clock.now_us() == before - STEP_US


def test_a_raw_clock_that_is_set_back_stands_still_here_until_it_is_told() -> None:
    crystal = Crystal()
    clock = Clock(raw=crystal)
    before = clock.now_us()
    crystal.offset_us -= 60 * MINUTE_US
    assert clock.now_us() == before
    crystal.forward(MINUTE_US)
    assert clock.now_us() == before
    clock.step(MINUTE_US)
    crystal.forward(MINUTE_US)
    assert clock.now_us() == before + 2 * MINUTE_US


def test_the_drift_of_a_crystal_is_learnt_and_taken_off() -> None:
    crystal = Crystal(ppm=-80)
    clock = Clock(raw=crystal)
    for _ in range(60):
        crystal.forward(15 * MINUTE_US)
        clock.learn(offset_us=crystal.true_us - clock.now_us(), doubt_us=20_000)
    assert abs(clock.rate_ppb - 80_000) < 4_000
    before = crystal.true_us - clock.now_us()
    crystal.forward(24 * 60 * MINUTE_US)
    drifted = abs(crystal.true_us - clock.now_us() - before)
    assert drifted < SECOND_US, "a day alone costs less than a second; uncorrected it were seven"


@given(st.integers(0, 2**32))
def test_time_never_falls_and_never_runs_away(seed: int) -> None:
    dice = Random(seed)
    crystal = Crystal(ppm=dice.randrange(-150, 151))
    clock = Clock(raw=crystal)
    last = clock.now_us()
    for _ in range(200):
        passed = dice.randrange(0, 30 * MINUTE_US)
        crystal.forward(passed)
        now = clock.now_us()
        most = passed * (1_000_000 + SLEW_PPM + 2 * DRIFT_PPM_MAX) // 1_000_000 + 2
        assert 0 <= now - last <= most
        last = now
        if dice.random() < 0.5:
            doubt = dice.randrange(0, 3 * SECOND_US)
            error = crystal.true_us - now + dice.randrange(-doubt, doubt + 1)
            clock.learn(offset_us=error, doubt_us=doubt)


def test_whoever_sets_the_machines_clock_moves_no_gateway() -> None:
    wall_us, passed_us = 1_000_000 * SECOND_US, 50 * SECOND_US
    clock = SteadyClock(wall_us=lambda: wall_us, passed_us=lambda: passed_us)
    assert clock.now_us() == wall_us
    for set_to_us in (wall_us + 400 * 86_400 * SECOND_US, 0):
        before_us, wall_us = clock.now_us(), set_to_us
        passed_us += MINUTE_US
        assert clock.now_us() == before_us + MINUTE_US
    real = SteadyClock()
    assert real.now_us() <= real.now_us()
