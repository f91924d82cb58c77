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
    "unpostable": _("The head-end could not make it. Try again, and tell whoever runs the server."),
}
