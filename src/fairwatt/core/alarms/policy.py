"""Which alarms a meter has, with their limits and delays: data, one policy for each meter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from fairwatt.core.alarms.model import AlarmCode, AlarmError
from fairwatt.core.alarms.rules import RULES, Rule
from fairwatt.core.spans import zone_info

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """The rules of one meter, each at most once; ``zone`` is where the hours of its schedules are read."""

    zone: str
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        zone_info(self.zone)
        codes = [rule.code for rule in self.rules]
        if len(set(codes)) != len(codes):
            raise AlarmError("an alarm policy has a rule twice; which of the two should hold?")

    def rule(self, code: AlarmCode) -> Rule | None:
        """The rule of that code, if this meter has it."""
        return next((rule for rule in self.rules if rule.code is code), None)


def default_policy(*, zone: str, rated_w: int) -> AlarmPolicy:
    """What a meter is watched for unless somebody says otherwise. ``rated_w`` is what its connection may carry.

    Suspect loads are looked for only where somebody names the hours.
    """
    return AlarmPolicy(zone, tuple(_default(kind, rated_w) for kind in RULES.values()))


def _default(kind: type[Rule], rated_w: int) -> Rule:
    sized: dict[AlarmCode, dict[str, Any]] = {
        AlarmCode.OVERLOAD: {"limit_w": rated_w},
        AlarmCode.SURGE: {"step_w": max(1, rated_w * 9 // 10)},
    }
    return kind(**sized.get(kind.code, {}))


def with_settings(*, policy: AlarmPolicy, settings: Mapping[str, Any]) -> AlarmPolicy:
    """Change rules by name: a table of fields, or ``False`` to leave one out. Raises ``AlarmError``.

    A duration may be written in seconds: ``restore_after_s`` sets ``restore_after_us``.
    """
    rules = {rule.code: rule for rule in policy.rules}
    for name, wish in settings.items():
        code = _code(name)
        if wish is False:
            rules.pop(code, None)
            continue
        if not isinstance(wish, Mapping):
            raise AlarmError(f"alarm {name}: give a table of settings, or false to leave it out")
        rules[code] = _changed(
            rules.get(code) or _default(RULES[code], 1),
            {_field(key): _in_us(key, value) for key, value in wish.items()},
        )
    return AlarmPolicy(policy.zone, tuple(rules.values()))


def policy_to_obj(policy: AlarmPolicy) -> list[object]:
    """Flatten a policy into lists, ints and strings for the wire; each rule names its fields."""
    rows: list[object] = []
    for rule in policy.rules:
        values = {one.name: getattr(rule, one.name) for one in fields(rule)}
        rows.append([str(rule.code), {name: _flat(value) for name, value in values.items()}])
    return [_VERSION, policy.zone, rows]


def policy_from_obj(obj: object) -> AlarmPolicy:
    """Rebuild a policy from its wire form; raises ``AlarmError`` for anything else."""
    match obj:
        case [int(version), str(zone), list(rows)] if version == _VERSION:
            try:
                return AlarmPolicy(zone, tuple(_rule(row) for row in rows))
            except (ValueError, LookupError) as error:
                raise AlarmError(f"this alarm policy cannot be used: {error}") from error
        case _:
            raise AlarmError("this is not a version 1 alarm policy")


def _rule(row: object) -> Rule:
    match row:
        case [str(name), dict(values)] if all(isinstance(key, str) for key in values):
            kind = RULES[_code(name)]
            if values.keys() != {one.name for one in fields(kind)}:
                raise AlarmError(f"{name} does not have the settings of that rule")
            return _changed(_default(kind, 1), {str(key): value for key, value in values.items()})
        case _:
            raise AlarmError("a rule is its name and a table of its settings")


def _changed(rule: Rule, values: Mapping[str, object]) -> Rule:
    known = {one.name: getattr(rule, one.name) for one in fields(rule)}
    if not values.keys() <= known.keys():
        raise AlarmError(f"{rule.code} has no setting {', '.join(sorted(values.keys() - known.keys()))}")
    given = {name: _whole(f"{rule.code}.{name}", known[name], value) for name, value in values.items()}
    return replace(rule, **given)


def _whole(name: str, like: object, value: object) -> Any:
    """A value of the kind the field has: a truth, a whole number, or pairs of minutes."""
    match like, value:
        case (bool(), bool()):
            return value
        case (bool(), _) | (_, bool()):
            pass
        case (int(), int()):
            return value
        case (tuple(), list() | tuple()):
            return tuple(_pair(name, pair) for pair in value)
        case _:
            pass
    raise AlarmError(f"{name} cannot be {value!r}")


def _pair(name: str, pair: object) -> tuple[int, int]:
    match pair:
        case [int(start), int(end)]:
            return start, end
        case _:
            raise AlarmError(f"{name} are pairs of minutes of the day")


def _flat(value: object) -> object:
    return [list(pair) for pair in value] if isinstance(value, tuple) else value


def _code(name: str) -> AlarmCode:
    try:
        return AlarmCode(name)
    except ValueError:
        raise AlarmError(f"there is no alarm {name!r}; known: {', '.join(AlarmCode)}") from None


def _field(key: str) -> str:
    return f"{key.removesuffix('_s')}_us" if key.endswith("_s") else key


def _in_us(key: str, value: object) -> object:
    if not key.endswith("_s"):
        return value
    if type(value) is not int:
        raise AlarmError(f"{key} is a whole number of seconds")
    return value * 1_000_000
