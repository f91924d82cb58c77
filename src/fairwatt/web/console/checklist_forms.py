"""What a technician types at each step of a meter's checklist."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from fairwatt.core.metering.checklist import Step
from fairwatt.core.units import Unit
from fairwatt.flows.commission import WATTS, WORDS_MAX
from fairwatt.web.console.quality_forms import KwhField
from fairwatt.web.plain import PlainForm


class StepForm(PlainForm):
    """A comment goes with every step."""

    words = forms.CharField(label=_("Comment"), max_length=WORDS_MAX, required=False)

    def __init__(self, *args: Any, unit: Unit = "kWh", **kwargs: Any) -> None:
        super().__init__(*args, auto_id=f"{self.prefix_id}_%s", **kwargs)
        if "register_wh" in self.fields and unit == "m3":
            self.fields["register_wh"].label = _("Register in m³")
        self.order_fields([name for name in self.fields if name != "words"])

    prefix_id = "step"


class ScannedForm(StepForm):
    """The address that answered."""

    prefix_id = "scanned"
    address = forms.CharField(label=_("Address"), max_length=40)


class RatioForm(StepForm):
    """What is printed on the transformers."""

    prefix_id = "ratio"
    primary = forms.IntegerField(label=_("Primary, A"), min_value=1, max_value=999_999)
    secondary = forms.IntegerField(label=_("Secondary, A"), min_value=1, max_value=999_999)


class PulseForm(StepForm):
    """The load that was switched, and whether only this meter saw it."""

    prefix_id = "pulse"
    watts = forms.IntegerField(label=_("Load in watts"), min_value=WATTS[0], max_value=WATTS[1])
    verdict = forms.ChoiceField(
        label=_("Outcome"),
        choices=[
            ("proven", _("only this meter saw it")),
            ("ambiguous", _("others may have seen it")),
            ("none", _("it did not see it")),
        ],
    )


class OpeningForm(StepForm):
    """The register as shown; the photo comes beside it."""

    prefix_id = "opening"
    register_wh = KwhField(label=_("Register in kWh"))


class CertificateForm(StepForm):
    """The number of the paper."""

    prefix_id = "certificate"
    number = forms.CharField(label=_("Number of the certificate"), max_length=80)


class SealForm(StepForm):
    """The number of the seal."""

    prefix_id = "seal"
    seal = forms.CharField(label=_("Number of the seal"), max_length=80)


class MappedForm(StepForm):
    """The room is chosen beside it, where no home is open yet."""

    prefix_id = "mapped"


FORMS: Final[dict[str, type[StepForm]]] = {
    Step.SCANNED: ScannedForm,
    Step.MAPPED: MappedForm,
    Step.RATIO: RatioForm,
    Step.PULSE: PulseForm,
    Step.OPENING: OpeningForm,
    Step.CERTIFICATE: CertificateForm,
    Step.SEAL: SealForm,
}


def value_of(form: StepForm) -> dict[str, Any]:
    """What the flow is told, without the comment."""
    return {name: value for name, value in form.cleaned_data.items() if name != "words"}
