"""Soft landing: credit that runs out takes power down in steps, so that a cut surprises nobody."""

from fairwatt.core.credit.policy import CreditPolicy


def power_limit_w(*, policy: CreditPolicy, available_micro: int, spared: bool) -> int | None:
    """Say how much power a home with this much left may draw; ``None`` is without a limit.

    ``spared``: a protected person lives there, or the meter feeds its own gateway. Such a home is never limited.
    """
    if spared:
        return None
    reached = [limit_w for below_micro, limit_w in policy.steps if available_micro < below_micro]
    return min(reached, default=None)
