"""What a meter is watched for, from what was said of its site, its feeder and itself: the nearer word counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from fairwatt.core.alarms.model import AlarmCode
from fairwatt.core.alarms.policy import AlarmPolicy, default_policy, with_settings
from fairwatt.core.alarms.rules import Rule
from fairwatt.core.metering.transformer import DIRECT, Transformer

_WHOLE = (AlarmCode.RESIDUAL_CURRENT,)
"""Measured by a transformer of its own around all wires: nothing of it is a share."""


def effective_policy(
    *, zone: str, rated_w: int, transformer: Transformer, said: Iterable[Mapping[str, Any]]
) -> AlarmPolicy:
    """The rules of one meter, in the watts and amperes that it measures.

    ``rated_w`` is what its connection may carry as the meter sees it. ``said``: settings from the widest scope to the
    nearest, in watts and amperes of the wires. Raises ``AlarmError`` for what no rule can be.
    """
    policy = default_policy(zone=zone, rated_w=transformer.of_conductor(rated_w))
    for settings in said:
        policy = with_settings(policy=policy, settings=settings)
    if transformer == DIRECT:
        return policy
    return AlarmPolicy(zone, tuple(_of_meter(rule, transformer) for rule in policy.rules))


def _of_meter(rule: Rule, transformer: Transformer) -> Rule:
    """A rule as the meter behind transformers sees it: its share of watts and currents, volts and per cents whole."""
    if rule.code in _WHOLE:
        return rule
    shares: dict[str, Any] = {
        one.name: transformer.of_meter(getattr(rule, one.name))
        for one in fields(rule)
        if one.name.endswith(("_w", "_ma")) and getattr(rule, one.name) > 0
    }
    return replace(rule, **shares)


def at_wires(code: str, evidence: Mapping[str, Any], transformer: Transformer) -> dict[str, Any]:
    """What a meter measured, as of the wires in front of its transformers."""
    if transformer == DIRECT or code in _WHOLE:
        return dict(evidence)
    return {
        name: transformer.of_conductor(value)
        if type(value) is int and name.endswith(("_w", "_ma"))
        else value
        for name, value in evidence.items()
    }
