"""The vectorised sieve believes exactly what core.metering believes, reading by reading."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwatt.core.metering.register import (
    ConflictingReading,
    DuplicateReading,
    LateReading,
    OutOfRangeRegister,
    ReadingRejected,
    RegisterSpec,
    advance,
)
from fairwatt.flows.posting.book_state import REGISTER, WALLET, BookState, GatewayState, register_key
from fairwatt.flows.posting.intake import Known, take_in
from fairwatt.flows.posting.sift import Sifted, sift
from fairwatt.wire.frames import Item, Kind, UpFrame, encode_up
from fairwatt.wire.records import Reading, pack_readings

MINUTE_US = 60_000_000
T0 = 1_372_680_000_000_000
NOW = T0 + 1_000 * MINUTE_US
MODULUS_WH = 100_000
SPEC = RegisterSpec(modulus_wh=MODULUS_WH, resolution_wh=10, max_power_w=6_000)
METERS = (71, 72, 73)
HEADS_WH = (500, 99_700, 0)

readings = st.lists(
    st.tuples(
        st.sampled_from(METERS),
        st.integers(-3, 40),
        st.one_of(
            st.integers(-30, 3_000),
            st.integers(99_000, MODULUS_WH + 20),
            st.integers(0, MODULUS_WH),
        ),
    ),
    max_size=25,
)


def a_book() -> BookState:
    """Three registers behind one gateway, heads known, no database."""
    registers = np.zeros(len(METERS), dtype=REGISTER)
    for n, (meter, head_wh) in enumerate(zip(METERS, HEADS_WH, strict=True)):
        registers[n]["installation"], registers[n]["meter"], registers[n]["gateway"] = 100 + n, meter, 1
        registers[n]["key"] = register_key(gateway=1, meter=meter)
        registers[n]["at_us"], registers[n]["register_wh"] = T0, head_wh
        for name in ("modulus_wh", "resolution_wh", "max_power_w"):
            registers[n][name] = getattr(SPEC, name)
    return BookState(
        book=1,
        currency="GBP",
        minor_digits=2,
        zone="Europe/London",
        epoch=1,
        last_batch=0,
        registers=registers,
        wallets=np.zeros(1, dtype=WALLET),
        policies=[],
        policy_objs=[],
        plans=[],
        gateways={1: GatewayState(gateway=1, site="s", slug="gw", public_key=b"")},
        gateway_ids={"gw": 1},
    )


def sieve(state: BookState, batch: list[Reading]) -> tuple[Sifted, list[Reading]]:
    """What the poster makes of one record with these readings."""
    frame = UpFrame(1, b"bootboot", 1, NOW, 1, False, (Item(1, Kind.READINGS, pack_readings(batch)),))
    intake = take_in(
        messages=[("gw", encode_up(frame))],
        known=Known(spools={1: (0, 0)}, gateway_ids=state.gateway_ids),
        now_us=NOW,
    )
    return sift(state=state, heads=state.registers, intake=intake, now_us=NOW), batch


def judged_one_by_one(
    batch: list[Reading],
) -> tuple[dict[tuple[int, int], int], Counter[tuple[int, int, str]]]:
    """The reference: forward energy by (meter, instant), and how often each (meter, instant) met each fate."""
    forward: dict[tuple[int, int], int] = {}
    fates: Counter[tuple[int, int, str]] = Counter()
    for meter, head_wh in zip(METERS, HEADS_WH, strict=True):
        prev_at, prev_wh = T0, head_wh
        first: dict[int, int] = {}
        for r in sorted((r for r in batch if r.meter == meter), key=lambda r: r.at_us):
            if r.total_wh < 0:
                fate = "negative_register"
            elif r.at_us in first:
                fate = "duplicate" if first[r.at_us] == r.total_wh else "conflicting_reading"
            else:
                first[r.at_us] = r.total_wh
                try:
                    step = advance(
                        spec=SPEC, prev_at_us=prev_at, prev_wh=prev_wh, at_us=r.at_us, wh=r.total_wh
                    )
                    forward[meter, r.at_us] = step.energy_wh
                    prev_at, prev_wh, fate = r.at_us, r.total_wh, "forward"
                except DuplicateReading:
                    fate = "duplicate"
                except LateReading:
                    fate = "behind"
                except OutOfRangeRegister:
                    fate = (
                        "behind"
                        if r.at_us < T0
                        else "conflicting_reading"
                        if r.at_us == T0
                        else "out_of_range"
                    )
                except ConflictingReading:
                    fate = "conflicting_reading"
                except ReadingRejected as error:
                    fate = f"{error.code}_register"
            fates[meter, r.at_us, fate] += 1
    return forward, fates


@settings(max_examples=200)
@given(readings)
def test_the_sieve_equals_the_rule_of_one_register(rows: list[tuple[int, int, int]]) -> None:
    batch = [Reading(meter=m, at_us=T0 + t * MINUTE_US, total_wh=wh, relay=1) for m, t, wh in rows]
    if not batch:
        return
    state = a_book()
    sifted, batch = sieve(state, batch)
    forward, fates = judged_one_by_one(batch)

    def key(row: int) -> tuple[int, int]:
        return batch[row].meter, batch[row].at_us

    found = {
        key(row): int(e) for row, e in zip(sifted.forward.tolist(), sifted.energy_wh.tolist(), strict=True)
    }
    assert found == forward
    seen: Counter[tuple[int, int, str]] = Counter((*key(row), "forward") for row in sifted.forward.tolist())
    seen.update((*key(row), "behind") for row in sifted.behind.tolist())
    for q in sifted.quarantine:
        assert q.meter is not None
        assert q.at_us is not None
        seen[q.meter, q.at_us, q.code] += 1
    expected = Counter({fate: n for fate, n in fates.items() if fate[2] not in ("duplicate", "out_of_range")})
    beyond = {fate[:2]: n for fate, n in fates.items() if fate[2] == "out_of_range"}
    for (meter, at), n in beyond.items():
        codes = [c for c in ("backward_register", "impossible_register") if seen[meter, at, c]]
        assert sum(seen[meter, at, c] for c in codes) == n
        for code in codes:
            del seen[meter, at, code]
    assert +seen == +expected
    assert sifted.duplicates == sum(n for fate, n in fates.items() if fate[2] == "duplicate")
    assert sum(fates.values()) == len(batch), "every reading has exactly one fate"


def test_the_relay_of_a_repeated_old_or_refused_reading_is_not_believed() -> None:
    old = Reading(meter=71, at_us=T0 - MINUTE_US, total_wh=400, relay=0)
    garbage = Reading(meter=71, at_us=T0 + MINUTE_US, total_wh=90_000, relay=0)
    good = Reading(meter=71, at_us=T0 + 2 * MINUTE_US, total_wh=600, relay=1)
    sifted, batch = sieve(a_book(), [old, old, garbage, garbage, good])
    assert [batch[row] for row in sifted.observed.tolist()] == [good]


def test_many_bad_readings_do_not_condemn_the_good_ones_between_them() -> None:
    batch = [
        Reading(meter=71, at_us=T0 + n * MINUTE_US, total_wh=500 + 20 * n if n % 2 else 70_000 - n, relay=1)
        for n in range(1, 40)
    ]
    sifted, _ = sieve(a_book(), batch)
    assert len(sifted.forward) == 20
    assert int(sifted.energy_wh.sum()) == 20 * 39
