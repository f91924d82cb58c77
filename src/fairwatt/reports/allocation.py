"""The published proof of a shared cost on paper and as a sheet: every share under its key, nobody by name."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.spans import date_start
from fairwatt.reports.asking import Ask, Reading
from fairwatt.reports.cells import exact_text
from fairwatt.reports.document import opened
from fairwatt.reports.making import Made, write
from fairwatt.reports.model import Column, Contents, Figure, Report, Row, Shape, Table, Words
from fairwatt.store.models import AllocationProof

_COLUMNS = (
    Column(key="unit", title=_("Unit")),
    Column(
        key="payer",
        title=_("Carried by"),
        shape=Shape.WORD,
        words={"resident": _("resident"), "landlord": _("landlord")},
    ),
    Column(key="days", title=_("Days"), shape=Shape.COUNT),
    Column(key="area_dm2", title=_("Area"), shape=Shape.AREA),
    Column(key="heads", title=_("People"), shape=Shape.COUNT),
    Column(key="own_wh", title=_("Own use"), shape=Shape.ENERGY),
    Column(key="floor_micro", title=_("Whole part"), shape=Shape.MONEY, total=True),
    Column(key="residue_micro", title=_("Residue"), shape=Shape.MONEY, total=True),
    Column(key="amount_micro", title=_("Share"), shape=Shape.MONEY, total=True),
)
_BASES: dict[str, Words] = {
    "area": _("floor area"),
    "heads": _("people"),
    "days": _("days lived in"),
    "own_use": _("own use"),
    "equal": _("equal shares"),
}


def allocation_file(*, proof: AllocationProof, form: str, now_us: int) -> Made:
    """Write a published proof as a report in that form, the same bytes each time. Raises ReportError."""
    body = proof.body
    start_us, end_us = (
        date_start(zone=body["zone"], day=date.fromisoformat(body[d])) for d in ("from", "until")
    )
    report = Report(
        name=f"shared-cost-{proof.allocation_id}",
        title=_("Proof of a shared cost"),
        about=_("Every share of a common cost with its inputs, adding up to the whole."),
        build=partial(contents_of, body),
        landscape=True,
    )
    ask = Ask(
        book=proof.allocation.book_id,
        start_us=start_us,
        end_us=end_us,
        # A rent may be shared before its time has come; what is shown is as it was published.
        now_us=max(now_us, start_us),
        as_of_us=proof.published_us,
    )
    return write(opening=opened(report=report, ask=ask), form=form)


def contents_of(body: dict[str, Any], asked: Reading) -> Contents:
    """The proof as tables; the rows must come to its total."""
    rows: list[Row] = [tuple(share[column.key] for column in _COLUMNS) for share in body["shares"]]
    total = int(body["total_micro"])
    last_day = date.fromisoformat(body["until"]) - timedelta(days=1)
    return Contents(
        figures=(
            Figure(key="total", title=_("The whole cost"), shape=Shape.MONEY, value=total),
            Figure(key="shares", title=_("Shares"), shape=Shape.COUNT, value=len(rows)),
        ),
        tables=(
            Table(
                name="shares",
                title=_("Every share"),
                columns=_COLUMNS,
                rows=rows,
                empty=_("Nobody carries a share."),
                expect={"amount_micro": total},
            ),
        ),
        notes=(
            _("Residue: millionths left over by dividing go one each to the largest remainders."),
            _("Anybody can add its CSV or JSON file up again: fairwatt allocation verify FILE."),
        ),
        caption=(
            (_("Book"), asked.book.slug),
            (_("Cost"), str(body["title"])),
            (_("Period"), f"{body['from']} – {last_day} ({body['zone']})"),
            (_("Published"), exact_text(cell=asked.as_of_us, shape=Shape.INSTANT, zone=asked.zone)),
            (_("Formula"), _formula(body["formula"])),
            (_("Days without a resident"), _vacant(body["formula"])),
            *_source(body["source"], asked),
            (_("Proof"), str(body["digest"])),
        ),
    )


def _formula(formula: dict[str, Any]) -> str:
    parts = [
        gettext("%(percent)s %% by %(by)s") % {"percent": part["percent"], "by": _BASES[part["by"]]}
        for part in formula["parts"]
    ]
    return f"{formula['name']}: {', '.join(parts)}"


def _vacant(formula: dict[str, Any]) -> str:
    return (
        gettext("by the landlord")
        if formula["vacant"] == "landlord"
        else gettext("by the residents together")
    )


def _source(source: dict[str, Any], asked: Reading) -> tuple[tuple[Words, str], ...]:
    def energy(key: str) -> str:
        return f"{exact_text(cell=int(source[key]), shape=Shape.ENERGY, zone=asked.zone)} kWh"

    match source["kind"]:
        case "typed":
            return ((_("An amount, by"), str(source["evidence"])),)
        case "meter":
            return ((_("A common meter used"), energy("energy_wh")),)
        case _:
            price = exact_text(cell=int(source["micro_per_kwh"]), shape=Shape.PRICE, zone=asked.zone)
            return (
                (_("The bulk meter counted"), energy("bulk_wh")),
                (_("All meters behind it"), energy("submeters_wh")),
                (_("Lost, at the price of"), f"{energy('lost_wh')} × {price} {asked.currency}"),
            )
