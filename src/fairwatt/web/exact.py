"""Form fields for amounts and energies: what a person types becomes a whole number, exactly, or is named."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext

_TYPED = re.compile(r"([-−]?)([0-9]{1,9})(?:\.([0-9]+))?")


def as_typed(*, scaled: int, places: int) -> str:
    """A whole number of 10^-places as a person types it; the way back is ExactField."""
    whole, part = divmod(abs(scaled), 10**places)
    said = f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".")
    return f"-{said}" if scaled < 0 else said


class ExactField(forms.CharField):
    """A decimal with at most `places` decimals, answered as a whole number of 10^-places; never a float."""

    def __init__(self, *, places: int, signed: bool = False, **kwargs: Any) -> None:
        super().__init__(max_length=24, **kwargs)
        self._places, self._signed = places, signed
        self.widget.attrs.update({"inputmode": "decimal", "autocomplete": "off"})

    def clean(self, value: Any) -> Any:
        """The whole number, or None for an empty field that may be empty."""
        said = str(super().clean(value)).strip().replace(" ", "").replace(",", "")
        if not said:
            return None
        found = _TYPED.fullmatch(said)
        part = (found[3] or "") if found else ""
        if found is None or len(part) > self._places or (found[1] and not self._signed):
            raise forms.ValidationError(
                gettext(
                    "Write a number such as 1234.5, with at most %(places)d decimals. Nothing was written."
                )
                % {"places": self._places}
            )
        whole = int(found[2]) * 10**self._places + int(part.ljust(self._places, "0") or 0)
        return -whole if found[1] else whole
