"""A total shared out by weights, exact to the watt-hour."""

from __future__ import annotations

from collections.abc import Sequence


def share_out(*, total: int, weights: Sequence[int]) -> list[int]:
    """Split a total of zero or more by weights of zero or more; the parts add up to it exactly.

    Each part is its exact share cut to a whole number; what is left over goes to the largest remainders, the
    earlier first among equals (Hamilton's method). Weights that are all zero count alike.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError(f"cannot share out {total} by weights below zero")
    if not weights:
        if total:
            raise ValueError(f"nobody is there to take {total}")
        return []
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda k: (-(total * weights[k] % whole), k))
    for k in order[: total - sum(parts)]:
        parts[k] += 1
    return parts
