"""Why an emergency code was not made, in the words of the desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REFUSALS: Final[Mapping[str, str | Promise]] = {
    "no_code_keys": _(
        "The head-end of this book holds no key for codes. Ask whoever runs the server to give it one."
    ),
    "not_authorised": _("Only an administrator of this organisation may ask, for a meter that is at work."),
    "against_policy": _("The policy of this book allows no such code for this home now."),
    "too_many_unused": _("Too many codes of this meter are unused. Its gateway has to be commissioned anew."),
    "not_of_this_home": _("This home has no such payment, or its meter is not at work."),
    "known_there": _("The gateway has heard of this payment already: it is in the balance there."),
    "several_gateways": _(
        "This account has meters behind several gateways, and each could give the credit out. Issue an emergency code."
    ),
    "nothing_to_carry": _(
        "Nothing of this payment is left as credit: it went back, or repaid a debt as it came."
    ),
    "too_old": _("This payment is too old for a token; no gateway would take it. Issue an emergency code."),
    "unpostable": _("The head-end could not make it. Try again, and tell whoever runs the server."),
}
