"""A provider's day held against ledger and meters, from the command line."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from fairwatt.server.errors import BadInput

if TYPE_CHECKING:
    from fairwatt.flows.reconciling.reconcile_day import Reconciled
    from fairwatt.store.models import MerchantAccount

DIFFERS: Final = 1
OPEN: Final = 3
"""Exit codes: somebody has work to do; nobody can say yet."""


def reconcile(
    day: Annotated[str, typer.Argument(help="A day at the providers, such as 2026-11-21.")],
    organisation: Annotated[str, typer.Option(help="Short name of one organisation; else all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Hold a day's bills of payment providers against the ledger and the meters, and print what came of it.

    The collector fetches the bills, the keeper does this by itself; the same look again changes nothing.

    Example: fairwatt reconcile 2026-11-21 --json

    Exit code 0: every account agrees. 1: there are differences that nobody has settled. 2: the day or the organisation
    cannot be used. 3: a day is still open, for its bill is late, broken or issued again.
    """
    from fairwatt.server.wiring import use_django

    try:
        date.fromisoformat(day)
    except ValueError:
        raise BadInput(f"{day!r} is no day; a day is written as 2026-11-21. Nothing was written.") from None
    use_django(role="web")
    from django.conf import settings

    from fairwatt.flows.reconciling.reconcile_day import NotReconciled, reconcile_day

    now_us = settings.FAIRWATT_CLOCK.now_us()
    done: list[tuple[MerchantAccount, Reconciled]] = []
    for account in _accounts(organisation):
        try:
            done.append((account, reconcile_day(account_id=account.pk, day=day, now_us=now_us)))
        except NotReconciled as error:
            raise BadInput(str(error)) from error
    if as_json:
        typer.echo(json.dumps([_said(account, one) for account, one in done], ensure_ascii=False))
    else:
        _draw(day, done)
    states = {one.version.state for _, one in done}
    raise typer.Exit(DIFFERS if "differs" in states else OPEN if "open" in states else 0)


def _accounts(organisation: str) -> list[MerchantAccount]:
    from fairwatt.payments.billing import BILLING
    from fairwatt.store.models import MerchantAccount

    found = MerchantAccount.objects.filter(provider__in=BILLING).order_by("pk")
    if organisation:
        found = found.filter(organisation__slug=organisation)
    accounts = list(found)
    if not accounts:
        raise BadInput("There is no account with a bill here. Nothing was written; see `fairwatt merchant`.")
    return accounts


def _said(account: MerchantAccount, one: Reconciled) -> dict[str, Any]:
    version = one.version
    open_keys = {found.key for found in one.open}
    return {
        "account": account.pk,
        "provider": account.provider,
        "day": version.day,
        "version": version.version,
        "state": version.state,
        "reason": version.reason,
        **version.totals,
        "differences": [
            {
                "kind": str(found.kind),
                "our_ref": found.our_ref,
                "provider_ref": found.provider_ref,
                "refund_ref": found.refund_ref,
                "theirs_minor": found.theirs_minor,
                "ours_minor": found.ours_minor,
                "currency": found.currency,
                "settled": found.key not in open_keys,
            }
            for found in one.differences
        ],
    }


def _draw(day: str, done: list[tuple[MerchantAccount, Reconciled]]) -> None:
    table = Table(
        *(
            "account",
            "state",
            "in the bill",
            "with us",
            "matched",
            "in flight",
            "found by bill",
            "differences",
        ),
        title=f"{day} at the providers",
    )
    for account, one in done:
        totals, state = one.version.totals, one.version.state
        table.add_row(
            f"{account.provider} {account.label}",
            f"{state}: {one.version.reason}" if one.version.reason else state,
            *(f"{totals[name]:,}" for name in ("billed", "ours", "matched", "in_flight", "found_by_bill")),
            f"{len(one.open)}",
        )
    console = Console()
    console.print(table)
    for account, one in done:
        for found in one.open[:40]:
            typer.echo(f"{account.provider}  {found.kind}  {found.our_ref}  {found.provider_ref}")
    if all(one.version.state in ("agrees", "quiet") for _, one in done):
        typer.echo("0 differences")
