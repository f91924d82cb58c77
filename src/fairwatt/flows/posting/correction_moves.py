"""From which prices to which a tariff correction moves each home: by its own parameters, closed homes too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from fairwatt.core.rating.segments import SegmentTable
from fairwatt.core.rating.tariff_file import parse_schedule
from fairwatt.flows.posting.book_state import REGISTER, BookState, Correcting, Plan, register_key
from fairwatt.flows.posting.plans import Values, make_plan, values_under
from fairwatt.flows.posting.rerating import start_window
from fairwatt.flows.posting.site_rerating import differ_from_us
from fairwatt.store import heads
from fairwatt.store.corrections import correcting_of, opened_before
from fairwatt.store.models import Book, Installation, TariffPublication


def corrections_of(
    book: Book, plans: list[Plan], plan_ix: Mapping[tuple[int, Values], int]
) -> list[Correcting]:
    """Tariff corrections that are being posted; what each replaces becomes plans of their own, put behind ``plans``."""
    with connection.cursor() as cursor:
        rows = correcting_of(cursor=cursor, book=book.pk)
    found = []
    for fact, plan, publication, replaced, author, reason in rows:
        if (plan, ()) not in plan_ix:
            continue
        with connection.cursor() as cursor:
            opened = opened_before(cursor=cursor, publication=publication)
        homes = [home for home in homes_of(plan) if home.pk in opened]
        known = {key: ix for key, ix in plan_ix.items() if key[0] == plan}
        texts = TariffPublication.objects.in_bulk([replaced, publication])
        old_ix = _placed(book, plan, texts[replaced].text, homes, plans, {})
        # The newest text is what plans are made of; a later publication changes nothing that this one charges.
        new_ix = _placed(book, plan, texts[publication].text, homes, plans, known)
        moves = {home.pk: (old_ix[home.pk], new_ix[home.pk]) for home in homes}
        closed = tuple(home.pk for home in homes if _charged_wrongly(home, plans, *moves[home.pk]))
        found.append(Correcting(fact, publication, moves, closed, author, reason))
    return found


def homes_of(plan: int) -> list[Installation]:
    """Every home that a plan ever charged, closed ones too."""
    return list(
        Installation.objects.filter(plan=plan).select_related("meter", "wallet", "unit").order_by("pk")
    )


def _placed(
    book: Book,
    plan: int,
    text: str,
    homes: Sequence[Installation],
    plans: list[Plan],
    index: dict[tuple[int, Values], int],
) -> dict[int, int]:
    """{installation: its plan under a text}; plans that are not there yet are made."""
    schedule = parse_schedule(text)
    values = values_under(book=book, homes=homes, schedule=schedule)
    placed = {}
    for home in homes:
        key = plan, values[home.pk]
        if key not in index:
            index[key] = len(plans)
            plans.append(make_plan(plan=plan, schedule=schedule, values=key[1]))
        placed[home.pk] = index[key]
    return placed


def _charged_wrongly(home: Installation, plans: list[Plan], old_ix: int, new_ix: int) -> bool:
    from_us = differ_from_us(old=plans[old_ix].schedule, new=plans[new_ix].schedule)
    return home.closed_us is not None and from_us is not None and home.closed_us > from_us


def closed_registers(
    *, state: BookState, correcting: Correcting, installations: Sequence[int]
) -> npt.NDArray[Any]:
    """Where closed registers were left, as the poster knows the open ones."""
    homes = list(Installation.objects.filter(pk__in=installations).select_related("meter").order_by("pk"))
    registers = _left(state, homes)
    for head, home in zip(registers, homes, strict=True):
        head["plan_ix"], at_us = correcting.moves[home.pk][0], int(head["at_us"])
        table = state.plans[int(head["plan_ix"])].table
        head["window_us"] = start_window(table=table, at_us=at_us, opening=at_us == home.opened_us)
    return registers


def closed_head(*, state: BookState, installation: int) -> Any | None:
    """Where a closed register of this book was left; None where there is no such."""
    homes = Installation.objects.filter(
        pk=installation, wallet__book=state.book, closed_us__isnull=False
    ).select_related("meter")
    return next(iter(_left(state, list(homes))), None)


def closed_prices(installation: int) -> SegmentTable | None:
    """The prices of a closed home, by its own parameters, under the newest text; None where it cannot be read."""
    home = Installation.objects.select_related("wallet__book").get(pk=installation)
    newest = TariffPublication.objects.filter(plan=home.plan_id).order_by("-pk").first()
    if newest is None:
        return None
    schedule = parse_schedule(newest.text)
    values = values_under(book=home.wallet.book, homes=[home], schedule=schedule)[home.pk]
    return make_plan(plan=home.plan_id, schedule=schedule, values=values).table


def _left(state: BookState, homes: Sequence[Installation]) -> npt.NDArray[Any]:
    """Closed registers at their last lines."""
    last = {
        line.installation: line
        for line in heads.last_register_lines(book=state.book, after_batch=0, of=[home.pk for home in homes])
    }
    registers = np.zeros(len(homes), dtype=REGISTER)
    for head, home in zip(registers, homes, strict=True):
        meter, line = home.meter, last.get(home.pk)
        head["installation"], head["wallet_ix"] = home.pk, state.wallet_index[home.wallet_id]
        head["key"] = register_key(gateway=meter.gateway_id, meter=meter.number)
        head["meter"], head["gateway"], head["modulus_wh"] = meter.number, meter.gateway_id, meter.modulus_wh
        head["at_us"], head["register_wh"] = home.opened_us, home.opening_wh
        if line is not None:
            # What was read after the end went over to who came next.
            head["at_us"] = min(max(line.at_us, home.opened_us), home.closed_us or line.at_us)
            head["register_wh"] = home.opening_wh if line.register_wh is None else line.register_wh
            for name in ("counter_wh", "carry_nano", "carry_tax"):
                head[name] = getattr(line, name)
    return registers
