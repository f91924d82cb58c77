"""The report of a back-test: a draft tariff on past use, as a paper to attach to an approval.

Not in the registry, because a draft belongs to the question: `report_of` makes a report of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fairwatt.core.insight.backtest import HomeTrial, Trial
from fairwatt.core.insight.try_tariff import FAMILIES
from fairwatt.core.rating.elements.vending_charge import VendingCharge
from fairwatt.core.rating.model import Schedule
from fairwatt.reports.asking import Ask, Reading
from fairwatt.reports.cells import exact_text
from fairwatt.reports.document import Document
from fairwatt.reports.model import Cell, Column, Contents, Figure, Report, Row, Shape, Table, Words
from fairwatt.store.models import Book, Organisation

LARGEST: Final = 10
_FAMILY_WORDS = {
    "energy": _("Energy by use"),
    "standing": _("Fixed charges and packages"),
    "settled": _("Added when windows close: minimum, demand, bands, rebates"),
    "tax": _("Taxes and levies"),
}
_MOVED = {"sooner": _("cut sooner"), "later": _("cut later or not at all")}
_OLD, _NEW, _MORE = _("In force"), _("Draft"), _("Difference")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A draft tariff as it was handed in: its name, the SHA-256 of its text, what it says."""

    name: str
    digest: str
    schedule: Schedule

    @classmethod
    def of(cls, *, name: str, text: str, schedule: Schedule) -> Draft:
        """Note the digest of the very text, whose lines end with a newline however it was sent."""
        plain = text.replace("\r\n", "\n")
        return cls(name=name, digest=sha256(plain.encode()).hexdigest(), schedule=schedule)


def report_of(*, build: Callable[[Reading], Contents]) -> Report:
    """A back-test as one report."""
    return Report(
        name="backtest",
        title=_("A draft tariff on past use"),
        about=_("What a draft would have charged for real use, beside the tariff in force."),
        build=build,
        landscape=True,
    )


def contents_of(
    *,
    trial: Trial,
    draft: Draft,
    against: str,
    caption: tuple[tuple[Words, str], ...] = (),
    notes: tuple[Words, ...] = (),
) -> Contents:
    """A trial as figures and tables. `against` names the tariff in force, `caption` stands in place of the book's."""
    tables = [_revenue(trial), _spread(trial), _bars(trial), _largest(trial, 1), _largest(trial, -1)]
    if any(home.old_story is not None for home in trial.homes):
        tables.append(_sooner(trial))
    return Contents(
        figures=_figures(trial, draft, against),
        tables=(*tables, _homes(trial)),
        notes=(*_assumptions(trial), *notes),
        caption=caption,
    )


def document_of_file(*, trial: Trial, draft: Draft, against: str, source: str, left_out: int) -> Document:
    """A trial over an interval file as a document: no ledger is asked, and none needs to be there."""
    zone, currency = trial.current.zone, trial.current.currency
    span = trial.span
    days = [exact_text(cell=us, shape=Shape.INSTANT, zone=zone)[:16] for us in (span.start_us, span.end_us)]
    caption: tuple[tuple[Words, str], ...] = (
        (_("Interval file"), source),
        (_("Period"), f"{days[0]} – {days[1]}"),
        (_("Clock and currency"), f"{zone}, {currency}"),
    )
    notes: list[Words] = [
        _("Time without data is taken as time without use; an interval file knows no wallets.")
    ]
    if left_out:
        notes.append(gettext("Rows of the file without a readable number: %(n)s.") % {"n": left_out})
    contents = contents_of(trial=trial, draft=draft, against=against, caption=caption, notes=tuple(notes))
    ask = Ask(book=0, start_us=span.start_us, end_us=span.end_us, now_us=span.end_us)
    book = Book(slug=source[:50], currency=currency, zone=zone, organisation=Organisation(name=""))
    reading = Reading(
        cursor=None,
        book=book,
        ask=ask,
        opening=0,
        closing=0,
        as_of=0,
        as_of_us=span.end_us,
        lines=("false", []),
    )
    return Document(report=report_of(build=lambda _asked: contents), reading=reading, contents=contents)


def _figures(trial: Trial, draft: Draft, against: str) -> tuple[Figure, ...]:
    spread, plain, money, count = trial.spread, Shape.TEXT, Shape.MONEY, Shape.COUNT
    share = round(Fraction(10_000 * spread.more, spread.homes))
    return (
        _figure("draft", _("Draft"), plain, draft.name),
        _part("draft_sha256", _("SHA-256 of the draft's text"), plain, draft.digest),
        _part("against", _("Tariff in force"), plain, against),
        _figure("old", _("Revenue under the tariff in force"), money, trial.old_micro),
        _figure("new", _("Revenue under the draft"), money, trial.new_micro),
        _figure("difference", _MORE, money, trial.new_micro - trial.old_micro),
        _figure("homes", _("Homes"), count, spread.homes),
        _part("more", _("Homes that would pay more"), count, spread.more),
        _part("more_share", _("Share of homes that would pay more"), Shape.SHARE, share),
        _part("less", _("Homes that would pay less"), count, spread.less),
        _part("same", _("Homes for which nothing changes"), count, spread.same),
        _figure("median", _("Difference of the middle home"), money, round(spread.median_micro)),
        _figure("intervals", _("Intervals"), count, trial.rows),
        *_supply_figures(trial),
    )


def _supply_figures(trial: Trial) -> tuple[Figure, ...]:
    old = [home.old_story for home in trial.homes if home.old_story is not None]
    new = [home.new_story for home in trial.homes if home.new_story is not None]
    if not old:
        return ()
    count = Shape.COUNT
    sooner, later = sum(h.cut_sooner for h in trial.homes), sum(h.cut_later for h in trial.homes)
    old_cut, new_cut = (sum(story.cut_us is not None for story in stories) for stories in (old, new))
    old_dark, new_dark = (sum(story.dark_days for story in stories) for stories in (old, new))
    return (
        _figure("sooner", _("Homes that would have been cut sooner"), count, sooner),
        _figure("later", _("Homes that would have been cut later or not at all"), count, later),
        _part("old_cut", _("Homes cut off, in force"), count, old_cut),
        _part("new_cut", _("Homes cut off, draft"), count, new_cut),
        _part("old_dark", _("Days with power cut, in force"), count, old_dark),
        _part("new_dark", _("Days with power cut, draft"), count, new_dark),
    )


def _figure(key: str, title: Words, shape: Shape, value: Cell) -> Figure:
    return Figure(key=key, title=title, shape=shape, value=value)


def _part(key: str, title: Words, shape: Shape, value: Cell) -> Figure:
    return Figure(key=key, title=title, shape=shape, value=value, inner=True)


def _revenue(trial: Trial) -> Table:
    rows: list[Row] = []
    for family in FAMILIES:
        old, new = trial.revenue(family)
        rows.append((family, old, new, new - old))
    return Table(
        name="revenue",
        title=_("Revenue by element"),
        columns=(
            Column(key="family", title=_("Element"), shape=Shape.WORD, words=_FAMILY_WORDS),
            Column(key="old", title=_OLD, shape=Shape.MONEY, total=True),
            Column(key="new", title=_NEW, shape=Shape.MONEY, total=True),
            Column(key="difference", title=_MORE, shape=Shape.MONEY, total=True),
        ),
        rows=rows,
        empty="",
        expect={"old": trial.old_micro, "new": trial.new_micro, "difference": trial.spread.total_micro},
    )


def _spread(trial: Trial) -> Table:
    rows: list[Row] = [(f"{k * 10} %", micro) for k, micro in enumerate(trial.spread.tenths, start=1)]
    return Table(
        name="tenths",
        title=_("Winners and losers by tenths"),
        lead=_(
            "A tenth of the homes, two tenths and so on differ by at most this; below zero they pay less."
        ),
        columns=(
            Column(key="tenth", title=_("Of the homes")),
            Column(key="difference", title=_MORE, shape=Shape.MONEY),
        ),
        rows=rows,
        empty="",
    )


def _bars(trial: Trial) -> Table:
    return Table(
        name="bars",
        title=_("How many homes differ by how much"),
        columns=(
            Column(key="from", title=_("Difference from"), shape=Shape.MONEY),
            Column(key="to", title=_("to"), shape=Shape.MONEY),
            Column(key="homes", title=_("Homes"), shape=Shape.COUNT, total=True),
        ),
        rows=[(bar.low_micro, bar.high_micro, bar.homes) for bar in trial.spread.bars],
        empty="",
        expect={"homes": trial.spread.homes},
    )


_HOME = (
    Column(key="home", title=_("Home or shop")),
    Column(key="energy", title=_("Used"), shape=Shape.ENERGY),
    Column(key="old", title=_OLD, shape=Shape.MONEY),
    Column(key="new", title=_NEW, shape=Shape.MONEY),
    Column(key="difference", title=_MORE, shape=Shape.MONEY),
    Column(key="share", title=_("Of what was paid"), shape=Shape.SHARE),
)


def _home_row(home: HomeTrial) -> Row:
    share = None if home.share is None else round(home.share * 10_000)
    return (home.name, home.used_wh, home.old_micro, home.new_micro, home.difference_micro, share)


def _largest(trial: Trial, sign: int) -> Table:
    moved = [home for home in trial.homes if sign * home.difference_micro > 0]
    moved.sort(key=lambda home: (-sign * home.difference_micro, home.name))
    return Table(
        name="most_more" if sign > 0 else "most_less",
        title=_("The largest increases") if sign > 0 else _("The largest decreases"),
        columns=_HOME,
        rows=[_home_row(home) for home in moved[:LARGEST]],
        empty=_("No home would pay more.") if sign > 0 else _("No home would pay less."),
    )


def _sooner(trial: Trial) -> Table:
    rows: list[Row] = []
    for home in trial.homes:
        old, new = home.old_story, home.new_story
        if old is None or new is None or not (home.cut_sooner or home.cut_later):
            continue
        moved = "sooner" if home.cut_sooner else "later"
        rows.append(
            (
                home.name,
                moved,
                old.empty_us,
                new.empty_us,
                old.cut_us,
                new.cut_us,
                old.dark_days,
                new.dark_days,
            )
        )
    return Table(
        name="supply",
        title=_("Whose supply would have been cut sooner or later"),
        columns=(
            Column(key="home", title=_("Home or shop")),
            Column(key="moved", title=_("What changes"), shape=Shape.WORD, words=_MOVED),
            Column(key="old_empty", title=_("Empty, in force"), shape=Shape.INSTANT),
            Column(key="new_empty", title=_("Empty, draft"), shape=Shape.INSTANT),
            Column(key="old_cut", title=_("Cut, in force"), shape=Shape.INSTANT),
            Column(key="new_cut", title=_("Cut, draft"), shape=Shape.INSTANT),
            Column(key="old_dark", title=_("Dark days, in force"), shape=Shape.COUNT, total=True),
            Column(key="new_dark", title=_("Dark days, draft"), shape=Shape.COUNT, total=True),
        ),
        rows=rows,
        empty=_("No home would have been cut sooner or later."),
    )


def _homes(trial: Trial) -> Table:
    totals = {"old", "new", "difference", "energy"}
    return Table(
        name="homes",
        title=_("Every home"),
        columns=tuple(Column(key=c.key, title=c.title, shape=c.shape, total=c.key in totals) for c in _HOME),
        rows=[_home_row(home) for home in trial.homes],
        empty="",
        expect={"old": trial.old_micro, "new": trial.new_micro, "difference": trial.spread.total_micro},
    )


def _assumptions(trial: Trial) -> list[Words]:
    notes: list[Words] = [
        _("Use is taken as it was: nobody shifts or saves because of the draft."),
        _(
            "Use before the period fills the counters of blocks and is not charged. An interval over an edge is cut "
            "by its time."
        ),
        _("Each amount of a home is rounded down to a millionth, as its wallet is charged."),
        _(
            "Minimum charges, demand, rebates and whole bands count where their month closed within the period."
        ),
    ]
    newest = trial.draft.versions[-1]
    notes.append(
        gettext("Prices of the draft: version %(version)s, as if in force all along.")
        % {"version": newest.name}
        if len(trial.draft.versions) == 1
        else _("Prices of the draft: each version from its date on.")
    )
    if any(home.old_story is not None for home in trial.homes):
        notes.append(
            _(
                "Supply: people top up as they did, every top-up and fee falls where it fell, warnings and friendly "
                "hours are those of today's policy. A home in the dark would have used less and somebody would have "
                "paid sooner, so dark days are an upper bound."
            )
        )
    sides = (trial.current, trial.draft)
    if any(side.parameters for side in sides):
        notes.append(_("Parameters of an account are at the tariff's defaults."))
    if any(isinstance(e, VendingCharge) for side in sides for v in side.versions for e in v.elements):
        notes.append(_("Charges taken when credit is bought are not counted."))
    return notes
