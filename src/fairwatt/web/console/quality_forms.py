"""What a person at the desk writes down: an energy set right, a certificate, a test."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.metering.accuracy import CLASS_LIMIT_PER_MILLE
from fairwatt.core.spans import from_datetime, zone_info
from fairwatt.flows.edit_interval import REASON_MAX, REASON_MIN
from fairwatt.intervals.values import BadCell, energy_wh
from fairwatt.web.plain import PlainForm


class KwhField(forms.CharField):
    """An energy typed in kWh, as whole watt-hours."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(max_length=16, **changes)
        self.widget.attrs.update({"inputmode": "decimal", "autocomplete": "off"})

    def clean(self, value: Any) -> int:
        try:
            wh, rounded = energy_wh(text=str(super().clean(value)), per_unit_wh=1000)
        except BadCell:
            wh, rounded = None, True
        if wh is None or rounded or wh < 0:
            raise forms.ValidationError(
                gettext("Write an energy in kWh such as 12.345. Nothing was recorded.")
            )
        return wh


class EditForm(PlainForm):
    """A new value for one interval."""

    at_us = forms.IntegerField(min_value=0, max_value=2**62)
    version = forms.IntegerField(min_value=1, max_value=2**30)
    energy_wh = KwhField(label=_("Energy in kWh"))
    reason = forms.CharField(label=_("Why"), min_length=REASON_MIN, max_length=REASON_MAX)


class EstimateForm(PlainForm):
    """A person's approval that a dead meter's estimate is charged."""

    from_us = forms.IntegerField(min_value=0, max_value=2**62)
    wh = forms.IntegerField(min_value=1, max_value=2**40)
    reason = forms.CharField(label=_("Why the meter is dead"), min_length=REASON_MIN, max_length=REASON_MAX)


class CertificateForm(PlainForm):
    """What stands on a certificate."""

    accuracy_class = forms.ChoiceField(
        label=_("Accuracy class"), choices=[(one, one) for one in CLASS_LIMIT_PER_MILLE]
    )
    number = forms.CharField(label=_("Certificate number"), max_length=80)
    authority = forms.CharField(label=_("Issued by"), max_length=120)
    issued_on = forms.DateField(label=_("Issued on"), widget=forms.DateInput(attrs={"type": "date"}))
    expires_on = forms.DateField(label=_("In force until"), widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        issued, expires = cleaned.get("issued_on"), cleaned.get("expires_on")
        if issued and expires and expires <= issued:
            self.add_error("expires_on", gettext("A certificate ends after it begins. Check the dates."))
        return cleaned


class CheckForm(PlainForm):
    """What was read at a check-meter test."""

    tested_at = forms.DateTimeField(
        label=_("When"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    reference = forms.CharField(label=_("Reference meter"), max_length=80)
    reference_from_wh = KwhField(label=_("Reference before, kWh"))
    reference_to_wh = KwhField(label=_("Reference after, kWh"))
    reference_step_wh = forms.IntegerField(
        label=_("Smallest step of the reference, Wh"), min_value=0, max_value=1000
    )
    tested_from_wh = KwhField(label=_("This meter before, kWh"))
    tested_to_wh = KwhField(label=_("This meter after, kWh"))
    evidence = forms.CharField(label=_("Evidence: protocol, photos, seals"), max_length=2000)

    def tested_us(self, *, zone: str) -> int:
        """The instant of the test: typed on the site's wall clock."""
        typed: datetime = self.cleaned_data["tested_at"]
        return from_datetime(typed.replace(tzinfo=zone_info(zone)))
