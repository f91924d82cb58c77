"""Which readings are believed: known meter, sane time, register that can be true.

Every reading ends in exactly one of: forward (charged now), late (re-rated), duplicate, quarantine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fairwatt.core.rating.elements.energy_blocks import MAX_ENERGY_WH
from fairwatt.flows.posting.book_state import METER_BITS, BookState
from fairwatt.flows.posting.intake import Intake
from fairwatt.store.posting import QuarantineRow

Int64s = npt.NDArray[np.int64]

OLDEST_US: Final = 400 * 86_400 * 1_000_000
AHEAD_US: Final = 120 * 1_000_000
_US_PER_HOUR: Final = 3_600_000_000


@dataclass(kw_only=True)
class Sifted:
    """Believed readings: `forward` sorted by (register, instant), `behind` still to be looked up.

    Both are row numbers into the intake; `register` gives each row's register index (or -1).
    """

    register: Int64s
    forward: Int64s
    energy_wh: Int64s
    behind: Int64s
    duplicates: int
    observed: Int64s
    """rows whose relay, power and voltage are believed, in order of arrival"""
    plausible: Int64s
    """rows of known, priced meters at sane instants, one an instant, whatever their heads say of them"""
    past: Int64s
    """rows from before a meter came to who has it now; `register` is -1 where nobody has it"""
    quarantine: list[QuarantineRow] = field(default_factory=list)


def sift(*, state: BookState, heads: npt.NDArray[Any], intake: Intake, now_us: int) -> Sifted:
    """Sort the wheat from the chaff; nothing raises, nothing disappears.

    `heads`: the registers as the batch before this one leaves them.
    """
    readings = intake.readings
    at = readings["at_us"]
    register = _registers(state, intake)
    chaff: list[QuarantineRow] = []
    alive = np.ones(len(readings), dtype=bool)

    def refuse(mask: npt.NDArray[np.bool_], code: str, detail: str) -> None:
        nonlocal alive
        mask = mask & alive
        if mask.any():
            chaff.extend(quarantined(intake, np.flatnonzero(mask), code, detail))
            alive = alive & ~mask

    past = _of_the_past(state, heads, intake, register)
    refuse((register < 0) & ~past, "unknown_meter", "no open installation of this gateway has this meter")
    priced = heads["plan_ix"][np.maximum(register, 0)] >= 0 if len(heads) else alive
    refuse(~priced & ~past, "no_tariff", "no tariff was in force when this installation opened")
    refuse(
        (readings["relay"] > 2) | (readings["quality"] != 0) | (readings["reserved"] != 0),
        "bad_record",
        "relay state, quality or reserved field is unknown",
    )
    refuse(readings["total_wh"] < 0, "negative_register", "a cumulative register cannot be negative")
    refuse(
        at > now_us + AHEAD_US,
        "future_timestamp",
        "the reading is from the future: the meter's clock is wrong",
    )
    refuse(at < now_us - OLDEST_US, "ancient_timestamp", "the reading is older than 400 days")
    rows = np.flatnonzero(alive & ~past)
    order = np.lexsort((rows, at[rows], register[rows]))
    rows = rows[order]
    rows, repeated, clash = _once_per_instant(rows, register, at, readings["total_wh"])
    chaff.extend(quarantined(intake, clash, "conflicting_reading", "another value is known for this instant"))
    head_at = heads["at_us"][register[rows]]
    same = at[rows] == head_at
    equal = same & (readings["total_wh"][rows] == heads["register_wh"][register[rows]])
    chaff.extend(
        quarantined(
            intake, rows[same & ~equal], "conflicting_reading", "another value is known for this instant"
        )
    )
    again = repeated[at[repeated] >= heads["at_us"][register[repeated]]]
    believed = np.sort(np.concatenate((rows[equal], again, rows[at[rows] > head_at])))
    behind = rows[at[rows] < head_at]
    forward, energy, refused, step = _rising(heads, register, readings, rows[at[rows] > head_at])
    chaff.extend(_refused(intake, refused, step))
    if len(refused):
        doubted = set(zip(register[refused].tolist(), at[refused].tolist(), strict=True))
        pairs = zip(register[believed].tolist(), at[believed].tolist(), strict=True)
        believed = believed[[pair not in doubted for pair in pairs]]
    return Sifted(
        register=register,
        forward=forward,
        energy_wh=energy,
        behind=behind,
        duplicates=len(repeated) + int(equal.sum()),
        observed=believed,
        plausible=rows,
        past=np.flatnonzero(alive & past),
        quarantine=chaff,
    )


def _of_the_past(
    state: BookState, heads: npt.NDArray[Any], intake: Intake, register: Int64s
) -> npt.NDArray[np.bool_]:
    """Readings of somebody who had the meter before, or of a meter that nobody has any more."""
    past = np.zeros(len(register), dtype=bool)
    if len(heads):
        at = intake.readings["at_us"]
        past = (register >= 0) & (at <= heads["follows_us"][np.maximum(register, 0)])
    if len(state.ended_keys):
        past |= (register < 0) & np.isin(keys_of(intake=intake), state.ended_keys)
    return past


def keys_of(*, intake: Intake, rows: Int64s | slice = slice(None)) -> Int64s:
    """Which meter of which gateway each reading is of, as one integer (register_key); for a number that is none, 0."""
    meter = intake.readings["meter"][rows]
    sane = np.where(meter < (1 << METER_BITS), meter, 0).astype(np.int64)
    return (intake.gateway[rows] << METER_BITS) | sane


def _registers(state: BookState, intake: Intake) -> Int64s:
    sane = intake.readings["meter"] < (1 << METER_BITS)
    return np.where(sane, state.find_registers(keys=keys_of(intake=intake)), -1)


def _once_per_instant(
    rows: Int64s, register: Int64s, at: npt.NDArray[Any], total: npt.NDArray[Any]
) -> tuple[Int64s, Int64s, Int64s]:
    """Split sorted rows into the first of each (register, instant), its repetitions, and its contradictions."""
    if len(rows) < 2:
        none = np.empty(0, dtype=np.int64)
        return rows, none, none
    again = np.zeros(len(rows), dtype=bool)
    again[1:] = (register[rows[1:]] == register[rows[:-1]]) & (at[rows[1:]] == at[rows[:-1]])
    if not again.any():
        none = np.empty(0, dtype=np.int64)
        return rows, none, none
    first = np.maximum.accumulate(np.where(again, 0, np.arange(len(rows))))
    equal = again & (total[rows] == total[rows[first]])
    return rows[~again], rows[equal], rows[again & ~equal]


def _rising(
    heads: npt.NDArray[Any], register: Int64s, readings: npt.NDArray[Any], rows: Int64s
) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Drop registers that ran backward or too fast; return rows, their energy, refused rows, their step.

    One bad value must not condemn the good one after it, so only the first bad row of each register
    goes per pass.
    """
    refused: list[Int64s] = [np.empty(0, dtype=np.int64)]
    steps: list[Int64s] = [np.empty(0, dtype=np.int64)]
    while True:
        energy, shown, bad = _step(heads, register, readings, rows)
        if not bad.any():
            break
        first_bad = np.flatnonzero(bad)
        _, keep = np.unique(register[rows[first_bad]], return_index=True)
        out = first_bad[keep]
        refused.append(rows[out])
        steps.append(shown[out])
        rows = np.delete(rows, out)
    return rows, energy, np.concatenate(refused), np.concatenate(steps)


def _step(
    heads: npt.NDArray[Any], register: Int64s, readings: npt.NDArray[Any], rows: Int64s
) -> tuple[Int64s, Int64s, npt.NDArray[np.bool_]]:
    """Energy of each row since the one before it, the step its register shows, and whether it cannot be."""
    reg = register[rows]
    at = readings["at_us"][rows].astype(np.int64)
    total = readings["total_wh"][rows].astype(np.int64)
    first = np.ones(len(rows), dtype=bool)
    first[1:] = reg[1:] != reg[:-1]
    prev_at = np.where(first, heads["at_us"][reg], np.roll(at, 1))
    prev_total = np.where(first, heads["register_wh"][reg], np.roll(total, 1))
    modulus = heads["modulus_wh"][reg]
    shown = total - prev_total
    # The rule of core.metering.register.advance, for a whole batch; a test holds the two together.
    rolled = (shown < 0) & (-2 * shown > modulus)
    energy = np.where(rolled, shown + modulus, shown)
    steps = np.where(rolled, 1, 2)
    # Whole hours and the rest apart: power times a long silence in microseconds passes 64 bits.
    hours, rest = np.divmod(at - prev_at, _US_PER_HOUR)
    power = heads["max_power_w"][reg]
    limit = power * hours + power * rest // _US_PER_HOUR + steps * heads["resolution_wh"][reg]
    impossible = (energy > np.minimum(limit, MAX_ENERGY_WH)) | (total >= modulus)
    return energy, shown, (energy < 0) | impossible


def _refused(intake: Intake, rows: Int64s, step: Int64s) -> list[QuarantineRow]:
    out: list[QuarantineRow] = []
    for row, step_wh in zip(rows.tolist(), step.tolist(), strict=True):
        total = int(intake.readings["total_wh"][row])
        code = "backward_register" if step_wh < 0 else "impossible_register"
        detail = f"register {total} Wh after {total - step_wh} Wh: " + (
            "it ran backward" if step_wh < 0 else "more than the meter shows or can carry in that time"
        )
        out.extend(quarantined(intake, np.array([row]), code, detail))
    return out


def set_aside(*, intake: Intake, sifted: Sifted, registers: list[int]) -> None:
    """Move the forward readings of some registers into quarantine: they cannot be rated."""
    bad = np.isin(sifted.register[sifted.forward], registers)
    rows = sifted.forward[bad]
    sifted.quarantine += quarantined(intake, rows, "unpriceable", "rating it failed; nothing was charged")
    sifted.forward, sifted.energy_wh = sifted.forward[~bad], sifted.energy_wh[~bad]
    sifted.observed = sifted.observed[~np.isin(sifted.observed, rows)]


def quarantined(intake: Intake, rows: Int64s, code: str, detail: str) -> list[QuarantineRow]:
    """Rows of `quarantine` for some readings of a batch."""
    return [
        QuarantineRow(
            code=code,
            detail=detail,
            raw=intake.readings[row].tobytes(),
            gateway=int(intake.gateway[row]),
            meter=int(intake.readings["meter"][row]) & 0x7FFF_FFFF_FFFF_FFFF,
            at_us=max(-(1 << 62), min(1 << 62, int(intake.readings["at_us"][row]))),
        )
        for row in rows
    ]
