"""The proof of a shared cost as a file, for residents and desk alike."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase

from fairwatt.core.costs.proof import proof_csv, proof_json
from fairwatt.reports.allocation import allocation_file
from fairwatt.store.models import AllocationProof
from fairwatt.web import access
from fairwatt.web.reporting import send


def proof_file(*, request: HttpRequest, proof: AllocationProof) -> HttpResponseBase:
    """What `?format=` asks for: paper or a sheet for people; JSON or, also unasked, CSV to add up again."""
    match request.GET.get("format"):
        case "pdf" | "xlsx" as form:
            return send(made=allocation_file(proof=proof, form=form, now_us=access.now_us()))
        case "json":
            text, kind, suffix = proof_json(proof.body), "application/json", "json"
        case _:
            text, kind, suffix = proof_csv(proof.body), "text/csv; charset=utf-8", "csv"
    response = HttpResponse(text, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="shared-cost-{proof.allocation_id}.{suffix}"'
    response["Cache-Control"] = "private, no-store"
    return response
