"""Credit control in words: why a cut is withheld, what a rule is, what it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.credit.contract import hours_text
from fairwatt.core.credit.policy import Windows
from fairwatt.web.design import invoice_words, let_words, postpaid_words

Words = Mapping[str, str | Promise]

REASONS: Final[Words] = {
    **let_words.REASONS,
    "law_forbids": _("the law forbids cutting homes here"),
    "power_limited": _("homes here may not be cut, and its power is limited instead"),
    "forced_on": _("somebody of the desk keeps the supply on"),
    "holiday": _("nobody is cut off on a holiday"),
    "weather": _("nobody is cut off in this heat or cold"),
    "emergency_due": _("emergency credit is being added"),
    "postpaid": _("this home pays after use"),
    "switch_grace": _("this home changed to paying first a few days ago"),
}
EVENTS: Final[Words] = {
    **invoice_words.EVENTS,
    **postpaid_words.EVENTS,
    "desk.restore_code_asked": _("{home}: an emergency code was asked for"),
    "supply.restore_code_issued": _("{home}: an emergency code was made"),
    "desk.restore_code_shown": _("An emergency code was shown to whoever asked for it"),
    "desk.token_asked": _("{home}: a token was asked for, to carry a payment to its gateway"),
    "supply.token_made": _("{home}: a token was made that carries a payment to its gateway"),
    "desk.token_shown": _("The token of a payment was shown to whoever asked for it"),
    "warning.low": _("{home}: warned, credit is low at {amount}"),
    "warning.low:credit.forecast": _("{home}: warned, days left by forecast: about {days}, with {amount}"),
    "warning.critical": _("{home}: warned, credit is almost gone at {amount}"),
    "warning.empty": _("{home}: warned, credit is used up"),
    "alarm.credit_rule_unusable": _("A credit rule cannot be read; nobody under it is cut"),
    "desk.credit_rule": _("{home}: the desk wrote down what is held to in credit control"),
    "emergency.lent": _("{home}: {amount} of emergency credit was lent"),
    "credit.repaid": _("{home}: {amount} of a top-up repaid emergency credit or debt"),
    "debt.begun": _("{home}: {amount} became a debt, recovered by its plan"),
    "desk.credit_step": _("{home}: the desk agreed to, refused or ended a rule of credit control"),
}
KINDS: Final[Words] = {
    "terms": _("Document"),
    "protection": _("Protected person"),
    "weather": _("Heat or cold"),
    "force_on": _("Supply kept on"),
    "debt": _("Debt"),
    "debt_pause": _("Debt paused"),
}
LOOSENED: Final[Words] = {
    "low_micro": _("warned later, by money"),
    "low_wh": _("warned later, by energy"),
    "low_days": _("warned later, by days"),
    "critical_micro": _("called critical later"),
    "warn_lead_us": _("less time between warning and cut"),
    "stale_after_us": _("older readings are believed"),
    "friendly": _("fewer friendly hours"),
    "friendly_weekends": _("weekends are no longer friendly"),
    "holidays": _("fewer holidays"),
    "max_debt_micro": _("friendly hours end at a smaller debt"),
    "cut": _("cuts where there were none"),
    "limit_w": _("less power where it is limited"),
    "shelters": _("a shelter ends"),
    "emergency": _("less emergency credit"),
}
PROTECTIONS: Final[Words] = {
    "medical": _("medical device or illness"),
    "infant": _("infant"),
    "elderly": _("elderly person"),
    "disability": _("disability"),
    "court": _("court order"),
    "other": _("other reason"),
}
WEATHER: Final[Words] = {"heat": _("heat"), "cold": _("cold")}
STATES: Final[Words] = {
    "waiting": _("waits for another administrator"),
    "holds": _("holds"),
    "coming": _("to come"),
    "replaced": _("replaced"),
    "refused": _("refused"),
    "over": _("over"),
}
STEPS: Final[Words] = {
    "approve": _("Agree"),
    "refuse": _("Refuse"),
    "ask_end": _("Ask for its end"),
    "end": _("End it"),
}


def quiet_hours(*, friendly: Windows, weekends: bool) -> str:
    """Hours of the day in which nobody is cut, as they are typed; and whether weekends are such."""
    hours = hours_text(friendly)
    if not weekends:
        return hours or gettext("none")
    return gettext("%(hours)s, and weekends") % {"hours": hours} if hours else gettext("weekends")
