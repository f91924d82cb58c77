"""Checks, estimates and meter tests as sentences: what was found, and what it means for money."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from fairwatt.web.design.words import Words

RULES: Words = {
    "unreadable_row": _("A row cannot be read as a time and an energy. It is not used."),
    "conflict": _(
        "Another value was measured or edited here before. The earlier one stands until a person decides."
    ),
    "over_register": _(
        "The known intervals say more than the register, so the hole between them gets nothing."
    ),
    "meter_id": _("The row names another meter. It is not used."),
    "time_check": _("The interval ends in the future: the device's clock is wrong. It is not used."),
    "clock_offset": _("The device's clock was off by more than two minutes. The values are not used."),
    "off_grid": _("The stamp lies between two intervals. The row is not used."),
    "null": _("The row holds no number. It is not read as zero; the interval is a gap."),
    "negative": _("The home would have used less than nothing. The value is not used."),
    "over_limit": _("More energy than the connection can carry in that time. The value is not used."),
    "source_doubt": _("The sender itself calls the value questionable. It is used; look at it."),
    "rounded": _("The value is finer than a watt-hour and was rounded."),
    "duplicate_equal": _("The same value for the same time stands there twice. It counts once."),
    "duplicate_different": _(
        "Two different values for the same time. Neither is used until a person decides."
    ),
    "gap": _("Nothing is known of this time. It is estimated; no balance moves."),
    "interval_count": _("The day does not have as many intervals as it has hours."),
    "sum_check": _("The intervals do not add up to the register. The register is what is charged."),
    "spike": _("One interval stands far above the rest of its day. It is used; look at it."),
    "high_use": _("More than three times the usual use of a day. It is used; look at it."),
    "low_use": _("Less than a tenth of the usual use of a day. It is used; look at it."),
    "frozen": _("The same value again and again, and not zero: the meter may be stuck."),
    "true_zero": _("Nothing was used for a while. Zero is a value and is used."),
    "outage": _("The supply was off. The values are true and say nothing about other days."),
}
METHODS: Words = {
    "source": _("measured"),
    "linear": _("on a line between its neighbours"),
    "like_days": _("as on three like days"),
    "profile": _("as homes usually use"),
    "edited": _("set by a person"),
}
STATUSES: Words = {
    "A": _("measured"),
    "E": _("estimated"),
    "S": _("substituted"),
    "X": _("edited"),
}
DUE: Words = {
    "none": _("no certificate"),
    "valid": _("in force"),
    "soon": _("ends soon"),
    "expired": _("has ended"),
}
VERDICTS: Words = {
    "pass": _("within the limit"),
    "fail": _("outside the limit"),
    "unsure": _("too short to say"),
}
LIMITS: Words = {
    "class": _("the limit of its class"),
    "house": _("our own limit of 1 %"),
}
REFUSALS: Words = {
    "not_allowed": _("Only operators and administrators may do this. Nothing was changed."),
    "not_found": _("There is no value for this time, so none can be set right."),
    "edit_refused": _("The value cannot be set so. Nothing was changed."),
    "changed_meanwhile": _("Somebody made a newer version meanwhile. Nothing was changed; look again."),
    "estimate_impossible": _("This estimate cannot be charged. Nothing was charged."),
    "bad_alarms": _("These settings cannot be used."),
    "list_refused": _("The list cannot be entered."),
    "bad_photo": _("The photo cannot be taken."),
    "bad_step": _("The step cannot be written down like this."),
    "not_ready": _("Not everything is done yet."),
    "quality_refused": _("This cannot be recorded so. Nothing was written."),
}
SCALED: str | Promise = _("matched to the register")


def rule(code: str) -> str:
    """A finding as a sentence."""
    return str(RULES.get(code, code.replace("_", " ")))


def method(code: str) -> str:
    """How a value came about."""
    plain, plus, _rest = code.partition("+")
    said = str(METHODS.get(plain, plain.replace("_", " ")))
    return f"{said}, {SCALED}" if plus else said


def status(code: str) -> str:
    """Where a value comes from, in a word."""
    return str(STATUSES.get(code, code))
