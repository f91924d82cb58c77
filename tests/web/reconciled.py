"""A merchant account of a scene, and a day of it with differences, as the keeper leaves one."""

from __future__ import annotations

import os
from typing import Any

from fairwatt.payments.reconcile import Difference, Drift
from fairwatt.server.config import Config
from fairwatt.server.keys import MERCHANT_ACTING, MERCHANT_READING, load_sealing_public
from support.house import as_role
from web.scene import NOW_US, Scene

DAY = "2026-11-20"
REF = "0123456789abcdef0123456789abcdef"
TOTALS = {
    "billed": 12,
    "billed_minor": 60_000,
    "back": 1,
    "back_minor": -1_000,
    "fee_minor": 354,
    "net_minor": 58_646,
    "ours": 12,
    "ours_minor": 62_000,
    "matched": 11,
    "in_review": 0,
    "in_flight": 1,
    "in_flight_minor": 2_000,
    "over_midnight": 0,
    "found_by_bill": 1,
    "meter_confirmed": 9,
    "meter_waiting": 1,
    "meter_nothing": 1,
}


def account_of(scene: Scene, *, created_us: int = NOW_US - 3 * 86_400_000_000) -> Any:
    """An account at a provider that nobody asks here."""
    from fairwatt.flows.merchants import Seals, add_account
    from fairwatt.store.models import Book

    keys = Config.load().keys
    seals = Seals(
        reading=load_sealing_public(keys, name=MERCHANT_READING),
        acting=load_sealing_public(keys, name=MERCHANT_ACTING),
    )
    with as_role("migrate"):
        return add_account(
            organisation_id=Book.objects.get(pk=scene.book).organisation_id,
            provider="stripe",
            label="Maple cards",
            settings={
                "account_id": "acct_1",
                "secret_key": "sk",
                "webhook_secrets": {"1": "whsec"},
                "live": False,
            },
            seals=seals,
            token=os.urandom(16).hex(),
            author="commissioning",
            now_us=created_us,
        ).account


def reconciled(scene: Scene) -> tuple[int, str]:
    """The account's number and the day."""
    from django.db import connection, transaction

    from fairwatt.flows.reconciling import records
    from fairwatt.store import facts

    account = account_of(scene)
    wallet = scene.wallets[0]
    differences = [
        Difference(
            kind=Drift.NOT_BILLED,
            our_ref=REF,
            provider_ref="pi_1",
            ours_minor=2_000,
            currency="CNY",
            book=scene.book,
            wallet=wallet,
        ),
        Difference(
            kind=Drift.UNKNOWN_PAYMENT, our_ref="", provider_ref="pi_2", theirs_minor=777, currency="CNY"
        ),
    ]
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        facts.see_books(cursor=cursor, books=[scene.book])
        for state, reason, items in (("open", "late", []), ("differs", "", differences)):
            before = next(iter(records.versions(cursor=cursor, account=account.pk, day=DAY)), None)
            made = records.Version(
                *(0, account.pk, DAY, 0, None, state, reason, TOTALS), f"{state:0<64}", NOW_US - 3_600_000_000
            )
            records.add_version(cursor=cursor, before=before, made=made, items=items)
    return account.pk, DAY
