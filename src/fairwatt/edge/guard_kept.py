"""What the guard writes down, so that a restart forgets neither credit nor cut."""

from typing import Final, NamedTuple

from fairwatt.core.rating.state import RegisterState
from fairwatt.wire import cbor

_FORMAT: Final = 4
_BYTES_MAX: Final = 1 << 26
_METER_MAX: Final = (1 << 64) - 1

Pairs = list[tuple[int, int]]


class StateUnusable(ValueError):
    """What was kept of the count cannot be read; every meter counts from its grant again."""


class Row(NamedTuple):
    """One meter's count. ``mark`` names the grant's bytes; ``spent`` and ``trail`` are (instant, amount or Wh)."""

    meter: int
    mark: bytes
    order: int
    state: RegisterState
    warned_at_us: int | None
    warned_here: bool
    quarantined: bool
    spent: Pairs
    trail: Pairs


class Kept(NamedTuple):
    """Everything: meters by what the guard did to them, and every count."""

    tripped: set[int]
    sounding: set[int]
    doubted: set[int]
    rows: list[Row]

    def encode(self) -> bytes:
        """Write it down."""
        rows = [
            [*row[:3], _plain(row.state), *row[4:7], _lists(row.spent), _lists(row.trail)]
            for row in self.rows
        ]
        return cbor.encode([_FORMAT, [sorted(meters) for meters in self[:3]], rows])


def decode_kept(data: bytes, /) -> Kept:
    """Read what `Kept.encode` wrote. Raises StateUnusable."""
    try:
        value = cbor.decode(data, max_bytes=_BYTES_MAX, what="the state of the guard")
        version, sets, rows = cbor.array(value, length=3, what="the state of the guard")
        if version != _FORMAT or type(rows) is not list:
            raise StateUnusable("the state of the guard is of another format")
        tripped, sounding, doubted = (
            _numbers(some) for some in cbor.array(sets, length=3, what="the meters by state")
        )
        return Kept(tripped, sounding, doubted, [_row(row) for row in rows])
    except (ValueError, LookupError, ArithmeticError, TypeError) as error:
        raise StateUnusable(f"the count kept from before cannot be used: {error}") from error


def _plain(state: RegisterState) -> list[int]:
    return [
        state.at_us,
        state.register_wh,
        state.counter_wh,
        state.window_us,
        state.carry_nano,
        state.carry_tax,
    ]


def _lists(pairs: Pairs) -> list[list[int]]:
    return [list(pair) for pair in pairs]


def _row(value: object) -> Row:
    meter, mark, order, state, warned, here, quarantined, spent, trail = cbor.array(
        value, length=9, what="a meter's count"
    )
    numbers = [
        cbor.signed(number, what="a number of the state")
        for number in cbor.array(state, length=6, what="the state")
    ]
    return Row(
        cbor.integer(meter, what="meter", high=_METER_MAX),
        cbor.octets(mark, what="the mark of the grant", length=8),
        cbor.integer(order, what="the order of the grant"),
        RegisterState(*numbers),
        None if warned is None else cbor.signed(warned, what="warned_at_us"),
        cbor.boolean(here, what="warned_here"),
        cbor.boolean(quarantined, what="quarantined"),
        _pairs(spent, what="an amount spent"),
        _pairs(trail, what="a reading kept"),
    )


def _numbers(value: object) -> set[int]:
    if type(value) is not list:
        raise StateUnusable("the meters of a state are not in a list")
    return {cbor.integer(meter, what="meter", high=_METER_MAX) for meter in value}


def _pairs(value: object, *, what: str) -> Pairs:
    if type(value) is not list:
        raise StateUnusable(f"{what} is not in a list")
    pairs = [cbor.array(pair, length=2, what=what) for pair in value]
    return [(cbor.signed(at, what="at_us"), cbor.signed(number, what=what)) for at, number in pairs]
