"""The state of a watch as plain lists, numbers and words: what a gateway keeps over a pulled plug."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

from fairwatt.core.alarms.model import AlarmCode, AlarmError
from fairwatt.core.alarms.picture import Picture
from fairwatt.core.alarms.watch import Alarm, Hold, WatchState

_VERSION: Final = 1
_NAMES: Final = tuple(one.name for one in fields(Picture))
_FIRST: Final = _NAMES.index("conditions")


def state_to_obj(state: WatchState) -> list[object]:
    """Flatten a state; `state_from_obj` gives the same state back."""
    hold = state.hold
    return [
        _VERSION,
        [[str(code), one.raised, one.turning_us, one.memory] for code, one in sorted(state.alarms.items())],
        None if state.before is None else [_flat(getattr(state.before, name)) for name in _NAMES],
        None if hold is None else [str(hold.code), hold.since_us, hold.until_us, hold.when_clear],
        state.tries,
        state.tried_us,
    ]


def state_from_obj(obj: object) -> WatchState:
    """Rebuild a state. Raises ``AlarmError`` when it is not one: the watch then begins anew."""
    match obj:
        case [int(version), list(rows), before, hold, int(tries), int() | None as tried_us] if (
            version == _VERSION
        ):
            try:
                return WatchState(
                    MappingProxyType(dict(_alarm(row) for row in rows)),
                    None if before is None else _picture(before),
                    None if hold is None else _hold(hold),
                    tries,
                    tried_us,
                )
            except (ValueError, TypeError) as error:
                raise AlarmError(f"the kept state of the alarms cannot be used: {error}") from error
        case _:
            raise AlarmError("this is not a version 1 state of alarms")


def _alarm(row: object) -> tuple[AlarmCode, Alarm]:
    match row:
        case [str(code), bool(raised), int() | None as turning_us, int() | None as memory]:
            return AlarmCode(code), Alarm(raised, turning_us, memory)
        case _:
            raise AlarmError("an alarm is its code, whether it is raised, since when it turns, its memory")


def _hold(row: object) -> Hold:
    match row:
        case [str(code), int(since_us), int() | None as until_us, bool(when_clear)]:
            return Hold(AlarmCode(code), since_us, until_us, when_clear)
        case _:
            raise AlarmError("a hold is its code, its start, its end, and whether it ends when all is clear")


def _picture(row: object) -> Picture:
    # An earlier release kept fewer values; what it did not know yet is left out.
    if not isinstance(row, list) or not _FIRST <= len(row) <= len(_NAMES):
        raise AlarmError("a picture has another number of values")
    values: dict[str, Any] = {name: _deep(value) for name, value in zip(_NAMES, row, strict=False)}
    return Picture(**values)


def _flat(value: object) -> object:
    return [_flat(one) for one in value] if isinstance(value, tuple) else value


def _deep(value: object) -> object:
    return tuple(_deep(one) for one in value) if isinstance(value, list) else value
