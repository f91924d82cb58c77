"""How true a meter counts: accuracy classes, certificates that run out, and the check-meter test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Final

from fairwatt.core.refusal import Refusal

WARN_DAYS: Final = 90
"""How long before its expiry a certificate is called due."""
HOUSE_LIMIT_PER_MILLE: Final = 10
"""A meter that prepaid energy is sold by is within +-1 %, whatever wider limit its class would allow."""
CLASS_LIMIT_PER_MILLE: Final = {
    "0.2S": 2,
    "0.2": 2,
    "0.5S": 5,
    "0.5": 5,
    "C": 5,
    "1": 10,
    "B": 10,
    "2": 20,
    "A": 20,
}
"""Maximum permissible error by class index: IEC 62053-11/-21/-22, and A, B, C of the European MID."""


class Due(StrEnum):
    """How a meter's certificate stands on a day."""

    NONE = "none"
    VALID = "valid"
    SOON = "soon"
    EXPIRED = "expired"


class Verdict(StrEnum):
    """What a check-meter test says."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    UNSURE = "unsure"
    """the registers' own steps are too coarse for the energy that was tested: test longer"""


class UnknownClass(Refusal):
    """An accuracy class that no standard here names."""

    code = "unknown_class"


class CheckImpossible(Refusal):
    """Register readings that make no test."""

    code = "test_impossible"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """A check-meter test's outcome. `error_per_mille` is exact: (tested - reference) / reference in thousandths."""

    error_per_mille: Fraction
    limit_per_mille: int
    limit_rule: str
    """`class` or `house`: which limit was the narrower"""
    verdict: Verdict


def due(*, expires_on: date | None, today: date) -> Due:
    """Say how a certificate stands; on its last day it is still in force."""
    if expires_on is None:
        return Due.NONE
    left = (expires_on - today).days
    if left < 0:
        return Due.EXPIRED
    return Due.SOON if left <= WARN_DAYS else Due.VALID


def limit_of(*, accuracy_class: str) -> tuple[int, str]:
    """The limit of a class in per mille and whose it is: the class's own, or the house's where that is narrower."""
    if accuracy_class not in CLASS_LIMIT_PER_MILLE:
        raise UnknownClass(
            "“%(said)s” is no accuracy class; it is one of %(known)s and stands on the meter's plate. "
            "Nothing was recorded.",
            said=accuracy_class,
            known=", ".join(CLASS_LIMIT_PER_MILLE),
        )
    own = CLASS_LIMIT_PER_MILLE[accuracy_class]
    return (own, "class") if own <= HOUSE_LIMIT_PER_MILLE else (HOUSE_LIMIT_PER_MILLE, "house")


def check_meter(
    *, reference_wh: int, tested_wh: int, accuracy_class: str, reference_step_wh: int, tested_step_wh: int
) -> CheckResult:
    """Judge a meter by what it and a reference counted of the same energy.

    `*_step_wh` are the registers' smallest steps: a difference of two readings is right to within one. Where that alone
    could turn the verdict, the test says nothing and must run longer. Raises UnknownClass, CheckImpossible.
    """
    limit, rule = limit_of(accuracy_class=accuracy_class)
    if reference_wh <= 0 or tested_wh < 0 or reference_step_wh < 0 or tested_step_wh < 0:
        raise CheckImpossible(
            "The reference counted %(reference)s Wh and the tested meter %(tested)s Wh. Both registers must go "
            "forward over the test. Read them again; nothing was recorded.",
            reference=reference_wh,
            tested=tested_wh,
        )
    if reference_wh <= reference_step_wh:
        return CheckResult(
            error_per_mille=_error(tested_wh, reference_wh),
            limit_per_mille=limit,
            limit_rule=rule,
            verdict=Verdict.UNSURE,
        )
    low = _error(tested_wh - tested_step_wh, reference_wh + reference_step_wh)
    high = _error(tested_wh + tested_step_wh, reference_wh - reference_step_wh)
    verdict = Verdict.UNSURE
    if -limit <= low and high <= limit:
        verdict = Verdict.PASS
    elif high < -limit or low > limit:
        verdict = Verdict.FAIL
    return CheckResult(
        error_per_mille=_error(tested_wh, reference_wh),
        limit_per_mille=limit,
        limit_rule=rule,
        verdict=verdict,
    )


def _error(tested_wh: int, reference_wh: int) -> Fraction:
    return Fraction((tested_wh - reference_wh) * 1000, reference_wh)
