"""Fill the holes of a series, and make estimates agree with the register to the watt-hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from fairwatt.core.metering.vee.methods import METHODS
from fairwatt.core.metering.vee.model import Defect, Effect, Series, Status, Value
from fairwatt.core.metering.vee.scale import share_out
from fairwatt.core.metering.vee.validate import Validated
from fairwatt.core.spans import Span

SOURCE = "source"
"""The rule of a value taken over as it was sent."""
SCALED = "+register"
"""After a method's name: its values were scaled so that the register is met exactly."""
TOO_MUCH = "over_register"
"""The known intervals alone already say more than the register: the estimates between are nought."""


@dataclass(frozen=True, kw_only=True)
class Completed:
    """One value for every interval of the span, in order of time, and what estimating them came upon."""

    values: tuple[Value, ...]
    defects: tuple[Defect, ...]

    @property
    def estimated(self) -> tuple[Value, ...]:
        """The values nobody measured."""
        return tuple(value for value in self.values if value.rule != SOURCE)


def complete(*, validated: Validated) -> Completed:
    """Estimate every hole of a validated series.

    Between two register readings the estimates are scaled so that known and estimated intervals together add up to
    the register's difference exactly (largest remainder). Estimates are marked, and are never charged by themselves.
    """
    series = validated.series
    guessed = dict(_guesses(series))
    defects = list(_scaled_to_registers(series, guessed))
    values = []
    for at_us in range(series.span.start_us, series.span.end_us, series.case.step_us):
        if at_us in series.wh:
            values.append(Value(at_us, series.wh[at_us], series.status[at_us], SOURCE))
        else:
            wh, rule = guessed[at_us]
            values.append(Value(at_us, wh, Status.ESTIMATED, rule))
    return Completed(values=tuple(values), defects=tuple(defects))


def _guesses(series: Series) -> Iterator[tuple[int, tuple[int, str]]]:
    for hole in series.runs(series.missing):
        instants = range(hole.start_us, hole.end_us, series.case.step_us)
        for method in METHODS:
            filled = method.fill(series, hole)
            if filled is not None:
                yield from ((at, (wh, method.id)) for at, wh in zip(instants, filled, strict=True))
                break
        else:
            raise AssertionError("a series holds at least one value, and the profile needs no more")


def _scaled_to_registers(series: Series, guessed: dict[int, tuple[int, str]]) -> Iterator[Defect]:
    """Move the guesses between each pair of register readings so that the pair is met; tell where they cannot be."""
    case = series.case
    for before, after in pairwise(series.registers()):
        holes = [at for at in range(before.at_us, after.at_us, case.step_us) if at in guessed]
        if not holes:
            continue
        known_wh = sum(wh for _, wh in series.of(Span(before.at_us, after.at_us)))
        left_wh = after.wh - before.wh - known_wh
        if left_wh < 0:
            detail = f"known intervals say {known_wh} Wh, the register {after.wh - before.wh} Wh"
            yield series.defect(TOO_MUCH, Effect.KEPT, before.at_us, after.at_us, detail)
        _spread(guessed, holes, max(0, left_wh))


def _spread(guessed: dict[int, tuple[int, str]], holes: list[int], total_wh: int) -> None:
    weights = [guessed[at][0] for at in holes]
    for at, wh in zip(holes, share_out(total=total_wh, weights=weights), strict=True):
        guessed[at] = (wh, guessed[at][1].removesuffix(SCALED) + SCALED)


def supersedes(*, newer: Value, known: Mapping[int, Value]) -> bool:
    """Whether a value found now makes a new version of what is known of its interval.

    A measurement replaces an estimate. An estimate replaces only another estimate. What a person edited stands until a
    person edits it again, and two measurements that differ are for a person, not for the later file.
    """
    old = known.get(newer.at_us)
    if old is None:
        return True
    guess = (Status.ESTIMATED, Status.SUBSTITUTED)
    if old.status in guess:
        return newer.status not in guess or (newer.wh, newer.status) != (old.wh, old.status)
    return False
