"""A dispute on a page, for residents and desk alike: the line, everything said, and the forms a person may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from fairwatt.core.spans import to_datetime
from fairwatt.flows.billed_unit import unit_of_wallet
from fairwatt.flows.dispute import (
    EVIDENCE_BYTES_MAX,
    WORDS_MAX,
    DisputeRefused,
    Evidence,
    add_to_dispute,
    answer_ruling,
    rule_dispute,
)
from fairwatt.flows.explaining.ids import LineId
from fairwatt.reports.disputes import REASONS, STATES, outcome
from fairwatt.reports.kinds import KINDS
from fairwatt.store.models import Dispute, DisputeEntry, Line, Role, User
from fairwatt.web import access
from fairwatt.web.access import Scope, seeing
from fairwatt.web.exact import ExactField
from fairwatt.web.plain import PlainForm


class OpenForm(PlainForm):
    """Why a charge is doubted."""

    reason = forms.ChoiceField(label=_("Reason"), choices=list(REASONS.items()))
    words = forms.CharField(
        label=_("What happened"),
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=WORDS_MAX,
        required=False,
    )


class SayForm(PlainForm):
    """A message, a file, or both."""

    words = forms.CharField(
        label=_("Message"), widget=forms.Textarea(attrs={"rows": 3}), max_length=WORDS_MAX, required=False
    )
    evidence = forms.FileField(
        label=_("File: PDF, JPEG, PNG or text, up to 5 MB"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".pdf,.jpg,.jpeg,.png,.txt"}),
    )


class RuleForm(PlainForm):
    """What is given back, and why."""

    refund = ExactField(label=_("Given back (0: the charge stands)"), places=6)
    words = forms.CharField(
        label=_("Reason of the ruling"), widget=forms.Textarea(attrs={"rows": 3}), max_length=WORDS_MAX
    )


@dataclass(frozen=True, kw_only=True)
class CasePage:
    """A case as one person sees it; `deciding` for the desk."""

    case: Dispute
    scope: Scope
    user: User
    deciding: bool


def case_of(*, public_id: UUID, scope: Scope) -> Dispute:
    """The case of that id inside what may be seen; Http404 otherwise."""
    with seeing(scope=scope):
        case = (
            Dispute.objects.select_related("wallet__unit__site", "book").filter(public_id=public_id).first()
        )
    if case is None:
        raise Http404
    return case


def act(*, request: HttpRequest, page: CasePage) -> str:
    """Do what a form of the page asks; one flow. Raises DisputeRefused."""
    about: dict[str, Any] = {
        "dispute_id": page.case.pk,
        "book_id": page.case.book_id,
        "user_id": page.user.pk,
        "now_us": access.now_us(),
    }
    words = request.POST.get("words", "")
    match request.POST.get("action"):
        case "say":
            add_to_dispute(**about, words=words, evidence=_evidence(request))
        case "rule" if page.deciding:
            form = RuleForm(request.POST)
            if not form.is_valid():
                raise DisputeRefused(" ".join(str(one) for some in form.errors.values() for one in some))
            rule_dispute(**about, refund_micro=form.cleaned_data["refund"], words=words)
        case "approve" | "refuse" as answer if page.deciding:
            seen = request.POST.get("ruling", "")
            ruling = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 18 else 0
            answer_ruling(**about, ruling_id=ruling, approve=answer == "approve", words=words)
        case _:
            raise Http404
    return ""


def context_of(*, page: CasePage, error: str = "") -> dict[str, Any]:
    """Everything templates/disputes/_case.html shows."""
    case, now_us = page.case, access.now_us()
    with seeing(scope=page.scope):
        entries = list(
            DisputeEntry.objects.filter(dispute=case).defer("content").select_related("author").order_by("pk")
        )
        line = Line.objects.filter(
            ts=to_datetime(case.line_ts_us), ref=case.line_ref, kind=case.line_kind, book=case.book_id
        ).first()
    state, _ruled_us, refund = outcome(case, entries, now_us)
    rulings = [entry for entry in entries if entry.kind == DisputeEntry.Kind.RULING]
    may_answer = page.user.role == Role.ADMIN and any(one.author_id != page.user.pk for one in rulings[-1:])
    return {
        "case": case,
        "line_id": str(LineId(case.book_id, case.wallet_id, case.line_seq)),
        "line": line,
        "line_us": case.line_ts_us,
        "unit": unit_of_wallet(wallet=case.wallet_id),
        "line_words": KINDS[case.line_kind].name if case.line_kind in KINDS else "",
        "entries": entries,
        "state": state,
        "state_words": STATES[state],
        "reason_words": REASONS.get(case.reason, case.reason),
        "refund": refund,
        "currency": case.book.currency,
        "zone": case.book.zone,
        "wallet": case.wallet,
        "say": SayForm(),
        "rule": RuleForm() if page.deciding and state in ("open", "overdue") else None,
        "ruling": rulings[-1].pk if rulings else 0,
        "may_answer": page.deciding and state == "proposed" and may_answer,
        "waits": page.deciding and state == "proposed" and not may_answer,
        "ended": state in ("upheld", "granted"),
        "error": error,
    }


def file_of(*, entry_id: int, case: Dispute, scope: Scope) -> HttpResponse:
    """A piece of evidence, to be saved and never run: its type is what its bytes said."""
    with seeing(scope=scope):
        entry = DisputeEntry.objects.filter(
            pk=entry_id, dispute=case, kind=DisputeEntry.Kind.EVIDENCE
        ).first()
    if entry is None:
        raise Http404
    response = HttpResponse(bytes(entry.content), content_type=entry.media_type)
    ending = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}.get(entry.media_type, "txt")
    response["Content-Disposition"] = f'attachment; filename="evidence-{entry.pk}.{ending}"'
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response


def _evidence(request: HttpRequest) -> Evidence | None:
    sent = request.FILES.get("evidence")
    if not isinstance(sent, UploadedFile):
        return None
    if (sent.size or 0) > EVIDENCE_BYTES_MAX:
        raise DisputeRefused("A file has between 1 byte and 5 MB. Nothing was added; send a smaller one.")
    return Evidence(name=sent.name or "", content=sent.read())
