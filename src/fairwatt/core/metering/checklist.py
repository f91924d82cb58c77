"""A meter's checklist: what has to be proven by somebody before its room pays by it, and what still lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from fairwatt.core.metering.register import RegisterSpec
from fairwatt.core.metering.transformer import Transformer
from fairwatt.core.units import US_PER_HOUR


class Step(StrEnum):
    """What is to be proven, in the order in which it is done."""

    SCANNED = "scanned"
    MAPPED = "mapped"
    RATIO = "ratio"
    PULSE = "pulse"
    OPENING = "opening"
    CERTIFICATE = "certificate"
    SEAL = "seal"
    SIGNED = "signed"


class State(StrEnum):
    """How a step stands now. ``STALE``: it was done, and something it rests on has changed since."""

    MISSING = "missing"
    DONE = "done"
    FAILED = "failed"
    STALE = "stale"


TO_SIGN: Final = tuple(step for step in Step if step is not Step.SIGNED)
"""What a signature is for: all of these are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row that a person left: the newest of a step counts. ``state``: done, failed or withdrawn."""

    id: int
    step: Step
    state: str
    value: Mapping[str, Any]
    words: str
    photo: int | None
    author: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Item:
    """One step as it stands, and the row that says so."""

    step: Step
    state: State
    record: Record | None


@dataclass(frozen=True, slots=True)
class Checklist:
    """Every step of one meter at one room."""

    items: tuple[Item, ...]

    @property
    def missing(self) -> tuple[Step, ...]:
        """What keeps it from being signed."""
        return tuple(
            item.step for item in self.items if item.step in TO_SIGN and item.state is not State.DONE
        )

    @property
    def done(self) -> int:
        """How many steps are done, the signature among them."""
        return sum(item.state is State.DONE for item in self.items)

    @property
    def complete(self) -> bool:
        """Whether somebody signed all of it and nothing has changed since."""
        return all(item.state is State.DONE for item in self.items)

    def of(self, step: Step) -> Item:
        """One step."""
        return next(item for item in self.items if item.step is step)


def checklist_of(*, records: Sequence[Record], transformer: Transformer | None) -> Checklist:
    """Fold rows, oldest first, into what stands now. ``transformer``: the installation's, None before it is opened."""
    newest = {record.step: record for record in records}
    items = [_item(step, newest.get(step), transformer) for step in TO_SIGN]
    signed = newest.get(Step.SIGNED)
    state = State.MISSING
    if signed is not None and signed.state == "done":
        whole = all(item.state is State.DONE for item in items)
        unchanged = signed.value.get("records") == [item.record.id for item in items if item.record]
        state = State.DONE if whole and unchanged else State.STALE
    return Checklist((*items, Item(Step.SIGNED, state, signed if state is not State.MISSING else None)))


def _item(step: Step, record: Record | None, transformer: Transformer | None) -> Item:
    if record is None or record.state == "withdrawn":
        return Item(step, State.MISSING, record)
    if record.state != "done":
        return Item(step, State.FAILED, record)
    if step is Step.RATIO and transformer is not None:
        confirmed = (record.value.get("primary"), record.value.get("secondary"))
        if confirmed != (transformer.primary, transformer.secondary):
            return Item(step, State.STALE, record)
    return Item(step, State.DONE, record)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a person read, held against what the meter itself reported last. ``difference_wh``: read less reported."""

    difference_wh: int
    agrees: bool


def compare_opening(
    *, spec: RegisterSpec, read_wh: int, read_us: int, reported_wh: int, reported_us: int
) -> Comparison:
    """Say whether a register read by eye can be the one that the meter reported at another instant.

    It may be ahead by what the meter can have counted since, or behind where the report is the newer; each side is cut
    to the register's step.
    """
    rise_wh = (read_wh - reported_wh) % spec.modulus_wh
    difference = rise_wh if 2 * rise_wh < spec.modulus_wh else rise_wh - spec.modulus_wh
    most_wh = spec.max_power_w * abs(read_us - reported_us) // US_PER_HOUR
    slack_wh = 2 * spec.resolution_wh
    low, high = (0, most_wh) if read_us >= reported_us else (-most_wh, 0)
    return Comparison(difference, low - slack_wh <= difference <= high + slack_wh)
