"""Disputes: how many lines are doubted, how fast they are ruled, what was given back, and the rate per charge."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from fairwatt.core.units import US_PER_DAY
from fairwatt.reports.asking import Reading
from fairwatt.reports.kinds import KINDS, Heading
from fairwatt.reports.model import Column, Contents, Figure, Report, Row, Shape, Table
from fairwatt.store.models import Dispute, DisputeEntry

REASONS = {
    "not_mine": _("I did not use this"),
    "price": _("The price is wrong"),
    "reading": _("The reading is wrong"),
    "double": _("Charged twice"),
    "other": _("Something else"),
}
STATES = {
    "open": _("open"),
    "overdue": _("overdue"),
    "proposed": _("waiting for approval"),
    "upheld": _("charge stands"),
    "granted": _("money given back"),
}
_COLUMNS = (
    Column(key="opened_us", title=_("Opened"), shape=Shape.INSTANT),
    Column(key="building", title=_("Building")),
    Column(key="home", title=_("Home or shop")),
    Column(key="line", title=_("Line no."), shape=Shape.COUNT),
    Column(key="reason", title=_("Reason"), shape=Shape.WORD, words=REASONS),
    Column(key="charged", title=_("Disputed"), shape=Shape.MONEY, total=True),
    Column(key="due_us", title=_("Due"), shape=Shape.INSTANT),
    Column(key="state", title=_("State"), shape=Shape.WORD, words=STATES),
    Column(key="days", title=_("Days to the ruling"), shape=Shape.COUNT),
    Column(key="given_back", title=_("Given back"), shape=Shape.MONEY, total=True),
)


def build(asked: Reading) -> Contents:
    """Cases that were opened in the period, as they stood as of the question."""
    cases = list(
        Dispute.objects.filter(
            book_id=asked.book.pk,
            opened_us__gte=asked.ask.start_us,
            opened_us__lt=min(asked.ask.end_us, asked.as_of_us + 1),
        ).order_by("opened_us", "pk")
    )
    entries: dict[int, list[DisputeEntry]] = {}
    for entry in (
        DisputeEntry.objects.filter(dispute__in=cases, at_us__lte=asked.as_of_us)
        .defer("content")
        .order_by("pk")
    ):
        entries.setdefault(entry.dispute_id, []).append(entry)
    names = asked.units()
    rows: list[Row] = []
    for case in cases:
        state, ruled_us, refund = outcome(case, entries.get(case.pk, []), asked.as_of_us)
        days = None if ruled_us is None else (ruled_us - case.opened_us) // US_PER_DAY
        rows.append(
            (
                case.opened_us,
                *names[case.wallet_id],
                case.line_seq,
                case.reason,
                case.charged_micro,
                case.due_us,
                state,
                days,
                refund,
            )
        )
    charges = _charges(asked)
    return Contents(
        figures=(
            Figure(key="cases", title=_("Disputes opened"), shape=Shape.COUNT, value=len(rows)),
            Figure(key="charges", title=_("Charges in the period"), shape=Shape.COUNT, value=charges),
            Figure(
                key="per_million",
                title=_("Disputes per million charges"),
                shape=Shape.COUNT,
                value=len(rows) * 1_000_000 // charges if charges else None,
            ),
            Figure(
                key="overdue",
                title=_("Overdue"),
                shape=Shape.COUNT,
                value=sum(row[7] == "overdue" for row in rows),
            ),
        ),
        tables=(
            Table(
                name="cases",
                title=_("Disputes"),
                columns=_COLUMNS,
                rows=rows,
                empty=_("Nobody doubted a charge in this period."),
            ),
        ),
    )


def outcome(case: Dispute, entries: list[DisputeEntry], now_us: int) -> tuple[str, int | None, int]:
    """Fold a case's entries: (state, instant of the ruling that counts, micro-units given back)."""
    answers = {entry.about_id: entry for entry in entries if entry.kind in ("approval", "refusal")}
    for ruling in [entry for entry in entries if entry.kind == "ruling"]:
        answer = answers.get(ruling.pk)
        if ruling.refund_micro == 0:
            return "upheld", ruling.at_us, 0
        if answer is None:
            return "proposed", None, 0
        if answer.kind == "approval":
            return "granted", answer.at_us, ruling.refund_micro
    return ("overdue" if now_us > case.due_us else "open"), None, 0


def _charges(asked: Reading) -> int:
    condition, parameters = asked.lines
    kinds = [kind for kind, how in KINDS.items() if how.heading is not Heading.TOPPED_UP]
    rows = asked.rows(
        f"SELECT count(*) FROM line WHERE {condition} AND kind = ANY(%s) AND amount_micro < 0",
        *parameters,
        kinds,
    )
    return int(rows[0][0])


REPORT = Report(
    name="disputes",
    title=_("Disputes"),
    about=_("Which charges are doubted, how fast they are ruled, and how often that happens."),
    build=build,
    landscape=True,
)
