"""The top-up form: a preset, or an amount somebody types."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.web.plain import PlainForm

OTHER: Final = "other"
MOST_MAJOR: Final = 5_000
_AMOUNT = re.compile(r"([0-9]{1,7})(?:[.,]([0-9]+))?")


class TopUpForm(PlainForm):
    """Answers `amount_minor`, a whole number of the currency's smallest unit."""

    choice = forms.CharField(max_length=20)
    amount = forms.CharField(max_length=20, required=False, label=_("Another amount"))

    def __init__(self, *, data: Any, minor_digits: int) -> None:
        super().__init__(data)
        self._minor_digits = minor_digits

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        choice = cleaned.get("choice", "")
        if choice == OTHER:
            cleaned["amount_minor"] = self._typed(str(cleaned.get("amount", "")))
        elif (
            choice.isascii() and choice.isdecimal() and 0 < int(choice) <= MOST_MAJOR * 10**self._minor_digits
        ):
            # A preset moves with use: the amount that was shown is the amount that is paid.
            cleaned["amount_minor"] = int(choice)
        else:
            self.add_error("choice", gettext("Choose an amount. Nothing has been paid."))
        return cleaned

    def _typed(self, typed: str) -> int | None:
        minor = minor_of(typed, minor_digits=self._minor_digits)
        if minor is None:
            self.add_error("amount", gettext("Write an amount such as 50 or 50.00. Nothing has been paid."))
            return None
        if not 0 < minor <= MOST_MAJOR * 10**self._minor_digits:
            self.add_error(
                "amount",
                gettext("Choose an amount above zero and up to %(most)s. Nothing has been paid.")
                % {"most": MOST_MAJOR},
            )
            return None
        return minor


def minor_of(typed: str, *, minor_digits: int) -> int | None:
    """An amount as people write it, in the smallest unit of the currency; None for what is none."""
    found = _AMOUNT.fullmatch(typed.strip().replace(" ", ""))
    fraction = (found[2] or "") if found else ""
    if found is None or len(fraction) > minor_digits:
        return None
    minor: int = int(found[1]) * 10**minor_digits + int(fraction.ljust(minor_digits, "0") or 0)
    return minor
