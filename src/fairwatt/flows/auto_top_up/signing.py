"""What the collector takes on of agreements, one at a time, and what it writes down of the answers."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection, transaction

from fairwatt.core.units import US_PER_MINUTE
from fairwatt.payments.agreements import Agreement, AgreementAsk
from fairwatt.payments.contract import Action, State
from fairwatt.payments.exchange import ProviderTrouble
from fairwatt.store import auto_top_up as rows

HELD_US: Final = 30_000_000
SOON_US: Final = 4_000_000
LATER_US: Final = US_PER_MINUTE
SOON_FOR_US: Final = 15 * US_PER_MINUTE
TROUBLE_US_MAX: Final = 5 * US_PER_MINUTE


def due(*, now_us: int) -> list[int]:
    """Agreements to be asked about now."""
    with connection.cursor() as cursor:
        return rows.due(cursor=cursor, now_us=now_us)


@transaction.atomic(durable=True)
def take(*, plan_id: int, now_us: int) -> rows.Asked | None:
    """Take one in hand, unless somebody else has it."""
    with connection.cursor() as cursor:
        return rows.take(cursor=cursor, plan=plan_id, now_us=now_us, until_us=now_us + HELD_US)


def ask_of(one: rows.Asked) -> AgreementAsk:
    """What the provider is asked about it."""
    return AgreementAsk(
        our_ref=one.our_ref,
        currency=one.currency,
        return_url=one.return_url,
        expires_us=one.expires_us,
        provider_order=one.provider_order,
        payer=one.payer,
        language=one.language,
    )


@transaction.atomic(durable=True)
def note_page(*, one: rows.Asked, action: Action, now_us: int) -> None:
    """The provider told where it is signed."""
    _note(one, url=action.url, provider_order=action.provider_order, trouble="", ask_us=now_us + SOON_US)


@transaction.atomic(durable=True)
def note_stands(*, one: rows.Asked, said: Agreement, now_us: int) -> None:
    """The provider said how it stands. What was ended meanwhile stays ended, and what was saved is forgotten."""
    if said.state is State.PENDING and now_us < one.expires_us:
        young = now_us - one.made_us < SOON_FOR_US
        _note(one, trouble="", ask_us=now_us + (SOON_US if young else LATER_US))
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM auto_plan WHERE id = %s FOR UPDATE", [one.plan])
        (state,) = cursor.fetchone()
        if said.state is State.SUCCEEDED:
            more = {"state": "active", "ask_us": None} if state == "signing" else {"ask_us": now_us}
            rows.note(cursor=cursor, plan=one.plan, payer=said.payer, shown=said.shown, trouble="", **more)
            if state == "signing":
                _step(cursor, one, "saved", now_us, evidence={"shown": said.shown})
        else:
            rows.note(cursor=cursor, plan=one.plan, state="ended", ask_us=None, trouble="")
            if state == "signing":
                _step(cursor, one, "not_saved", now_us)


@transaction.atomic(durable=True)
def note_forgotten(*, one: rows.Asked, now_us: int) -> None:
    """What was saved is there no more; its number is forgotten here, too."""
    with connection.cursor() as cursor:
        rows.note(cursor=cursor, plan=one.plan, payer="", url="", trouble="", ask_us=None)
        if one.payer:
            _step(cursor, one, "forgotten", now_us)


@transaction.atomic(durable=True)
def note_trouble(*, one: rows.Asked, trouble: ProviderTrouble, now_us: int) -> None:
    """Asking failed: again later, sooner at first. A page that never came cannot be signed any more one day."""
    if not one.provider_order and now_us >= one.expires_us:
        with connection.cursor() as cursor:
            rows.note(cursor=cursor, plan=one.plan, state="ended", ask_us=None, trouble=trouble.code)
            if one.state == "signing":
                _step(cursor, one, "not_saved", now_us, reason=trouble.code)
        return
    wait_us = min(2 ** min(one.asks, 20) * 1_000_000, TROUBLE_US_MAX)
    _note(one, trouble=trouble.code, ask_us=now_us + wait_us)


def _note(one: rows.Asked, **what: Any) -> None:
    with connection.cursor() as cursor:
        rows.note(cursor=cursor, plan=one.plan, **what)


def _step(cursor: Any, one: rows.Asked, step: str, now_us: int, **more: Any) -> None:
    rows.add_step(cursor=cursor, plan=one, step=step, now_us=now_us, **more)
