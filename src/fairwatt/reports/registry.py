"""The list of reports: a new one is a file of this room and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fairwatt.reports import (
    bad_debt,
    collection,
    disputes,
    fees,
    liability,
    month_end,
    receipts,
    shifts,
    statement,
    supplier,
    vacancy,
)
from fairwatt.reports.model import Report

REPORTS: Final[Mapping[str, Report]] = {
    report.name: report
    for report in (
        statement.REPORT,
        fees.REPORT,
        collection.REPORT,
        bad_debt.REPORT,
        liability.REPORT,
        vacancy.REPORT,
        month_end.REPORT,
        supplier.REPORT,
        disputes.REPORT,
        shifts.REPORT,
        receipts.REPORT,
    )
}
