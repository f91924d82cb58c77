"""A pulse test proves whose meter it is, or says that it does not."""

from random import Random

import pytest

from fairwatt.core.insight.pulse import PulseError, PulseResult, Sample, Verdict, judge_pulses

WATTS = 2_000


class Building:
    """Homes with noise and loads of their own, sampled every second or more rarely; a kettle at one of them."""

    def __init__(self, seed: int, *, homes: int = 12, every_s: int = 1) -> None:
        self.dice = Random(f"pulse:{seed}")
        self.switches: list[int] = []
        at = 20_000
        for hold in (10_000, 12_000, 23_000, 14_000, 11_000, 12_000):
            self.switches.append(at)
            at += hold + self.dice.randrange(1_000)
        self.until = at
        self.powers: dict[int, list[Sample]] = {}
        for home in range(1, homes + 1):
            base, offset = self.dice.randrange(20, 1_500), self.dice.randrange(1_000)
            times = range(offset, self.until, every_s * 1_000)
            self.powers[home] = [(at, base + self.dice.randrange(-15, 16)) for at in times]

    def add(self, home: int, watts: int, spans: list[tuple[int, int]]) -> None:
        self.powers[home] = [
            (at, power + watts * any(on <= at < off for on, off in spans)) for at, power in self.powers[home]
        ]

    def kettle(self, home: int, watts: int = WATTS) -> None:
        """By hand: up to two seconds after the word."""
        hand = [at + self.dice.randrange(200, 2_000) for at in self.switches]
        self.add(home, watts, list(zip(hand[::2], hand[1::2], strict=True)))

    def life(self, home: int) -> None:
        """Kettles, hobs that cycle and ovens of other people, whenever they like."""
        kind = self.dice.randrange(5)
        if kind == 0:
            on = self.dice.randrange(self.until)
            self.add(home, self.dice.randrange(1_500, 2_500), [(on, on + self.dice.randrange(5_000, 90_000))])
        elif kind == 1:
            period = self.dice.randrange(6_000, 60_000)
            start, on = self.dice.randrange(period), period * self.dice.randrange(20, 80) // 100
            spans = [(at, at + on) for at in range(-start, self.until, period)]
            self.add(home, self.dice.randrange(1_600, 2_400), spans)
        elif kind == 2:
            # Somebody who switches at the very moments, but not in step.
            picked = sorted(self.dice.sample([*self.switches, self.until], 2))
            self.add(home, self.dice.randrange(1_800, 2_200), [(picked[0] + 500, picked[1] + 500)])

        elif kind == 3:
            at = sorted(self.dice.sample(range(self.until), 4))
            self.add(home, self.dice.randrange(1_700, 2_300), [(at[0], at[1]), (at[2], at[3])])

    def judge(self) -> PulseResult:
        return judge_pulses(powers=self.powers, switches_ms=self.switches, until_ms=self.until, watts=WATTS)


def test_the_meter_of_the_room_is_proven_in_a_quiet_building() -> None:
    building = Building(1)
    building.kettle(7)
    told = building.judge()
    assert (told.verdict, told.meter) == (Verdict.PROVEN, 7)
    assert told.confidence_per_mille >= 990


def test_one_meter_alone_on_its_bus_can_be_proven() -> None:
    building = Building(2, homes=1)
    building.kettle(1, watts=1_800)
    assert building.judge().verdict is Verdict.PROVEN


def test_nobody_is_told_of_as_nobody() -> None:
    told = Building(3).judge()
    assert (told.verdict, told.meter, told.close) == (Verdict.NONE, None, ())


def test_two_meters_in_a_row_are_ambiguous_and_named() -> None:
    building = Building(4)
    building.kettle(5)
    building.powers[9] = building.powers[5]
    told = building.judge()
    assert (told.verdict, told.meter, set(told.close)) == (Verdict.AMBIGUOUS, None, {5, 9})


def test_a_load_of_another_size_is_not_ours() -> None:
    building = Building(5)
    building.kettle(3, watts=900)
    assert building.judge().verdict is Verdict.NONE


def test_a_meter_that_is_hardly_heard_is_never_proven() -> None:
    building = Building(6)
    building.kettle(3)
    building.powers[3] = building.powers[3][::30]
    told = building.judge()
    assert told.meter is None
    assert not next(one for one in told.candidates if one.meter == 3).seen


def test_a_room_that_uses_its_hob_meanwhile_is_asked_again_and_not_believed() -> None:
    building = Building(7)
    building.kettle(3)
    building.add(3, 1_800, [(at, at + 4_000) for at in range(0, building.until, 8_000)])
    assert building.judge().verdict is not Verdict.PROVEN


@pytest.mark.parametrize("every_s", [1, 2])
def test_busy_neighbours_never_give_a_confident_wrong_answer(every_s: int) -> None:
    """300 buildings, a third of them without the room's meter among the candidates."""
    proven = there = 0
    for seed in range(300):
        building = Building(seed, every_s=every_s)
        room = building.dice.randrange(1, 13)
        for home in range(1, 13):
            if home != room:
                building.life(home)
        if seed % 3:
            building.kettle(room)
            there += 1
        told = building.judge()
        assert told.meter in (None, room), seed
        assert told.meter is None or seed % 3, seed
        proven += told.meter == room
    assert proven > there // 2


@pytest.mark.parametrize(
    "switches",
    [
        [0, 10_000, 20_000, 43_000],
        [0, 10_000, 20_000, 43_000, 60_000, 70_000, 80_000],
        [0, 5_000, 20_000, 43_000, 60_000, 70_000],
        [0, 10_000, 20_000, 30_000, 40_000, 50_000],
    ],
)
def test_a_test_that_can_tell_nothing_is_refused(switches: list[int]) -> None:
    with pytest.raises(PulseError):
        judge_pulses(powers={1: []}, switches_ms=switches, until_ms=switches[-1] + 20_000, watts=WATTS)
