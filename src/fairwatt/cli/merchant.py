"""An organisation's own accounts at payment providers. Secrets come from a file and are never printed."""

from __future__ import annotations

import getpass
import json
import secrets
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from fairwatt.payments.callbacks import address
from fairwatt.server.clock import clock_for
from fairwatt.server.config import Config
from fairwatt.server.errors import BadInput

app = typer.Typer(no_args_is_help=True, help=__doc__)
SettingsFile = Annotated[Path, typer.Option("--file", help="TOML of mode 0600 with the account's settings.")]


@app.command()
def add(
    organisation: Annotated[str, typer.Option(help="Short name of the organisation.")],
    provider: Annotated[str, typer.Option(help="wechat, alipay, stripe or mpesa.")],
    file: SettingsFile,
    label: Annotated[str, typer.Option(help="What residents see beside the provider.")] = "",
    offer: Annotated[str, typer.Option(help="Ways to pay, as in qr,jsapi,redirect,push,scan,paybill.")] = "",
) -> None:
    """Give an organisation an account: what its residents pay goes there, never through anybody else.

    Example: fairwatt merchant add --organisation maple --provider wechat --file wechat.toml --offer qr,jsapi
    """
    with _commissioning() as (config, now_us):
        from fairwatt.flows import merchants
        from fairwatt.store.models import Organisation

        owner = Organisation.objects.filter(slug=organisation).first()
        if owner is None:
            raise BadInput(f"There is no organisation {organisation!r}. Nothing was written.")
        key = merchants.add_account(
            organisation_id=owner.pk,
            provider=provider,
            label=label or provider,
            settings=read_settings(file),
            seals=_seals(config),
            token=secrets.token_hex(merchants.TOKEN_BYTES),
            author=getpass.getuser(),
            now_us=now_us,
        )
        methods = [one for one in offer.split(",") if one]
        if methods:
            merchants.offer(
                account_id=key.account_id, methods=methods, author=getpass.getuser(), now_us=now_us
            )
        typer.echo(f"Account {key.account_id}, keys {key.pk}, fingerprint {key.fingerprint[:16]}.")
        called = address(origin=config.web_origin(), provider=provider, token=key.account.token)
        typer.echo(f"Callbacks: {called} (tell Stripe this one; the others are told with each order).")


@app.command()
def rotate(
    account: Annotated[int, typer.Argument(help="Number of the account.")], file: SettingsFile
) -> None:
    """Lay further keys or settings over those of an account; what the file does not name stays as it is.

    The old key and the new one hold side by side. Example: fairwatt merchant rotate 3 --file new-key.toml
    """
    with _commissioning() as (config, now_us):
        from fairwatt.flows import merchants

        key = merchants.add_keys(
            account_id=account,
            settings=read_settings(file),
            seals=_seals(config),
            author=getpass.getuser(),
            now_us=now_us,
        )
        typer.echo(f"Keys {key.pk} of account {account} are in force, fingerprint {key.fingerprint[:16]}.")


@app.command()
def confirm(
    key: Annotated[
        int, typer.Argument(help="Number of the keys, from the page or `fairwatt merchant list`.")
    ],
    fingerprint: Annotated[
        str, typer.Option(help="The first 8 or more figures of it, as the page shows them.")
    ],
) -> None:
    """Let keys that an administrator typed into the page take effect.

    Example: fairwatt merchant confirm 7 --fingerprint 3fa94c10
    """
    with _commissioning() as (_, now_us):
        from fairwatt.flows import merchants

        made = merchants.confirm_keys(
            key_id=key, fingerprint=fingerprint, author=getpass.getuser(), now_us=now_us
        )
        typer.echo(f"Keys {made.pk} of account {made.account_id} ({made.account.label}) are in force.")


@app.command()
def offer(
    account: Annotated[int, typer.Argument(help="Number of the account.")],
    methods: Annotated[str, typer.Argument(help="Ways to pay, as in qr,jsapi; `none` hides the account.")],
) -> None:
    """Choose which ways to pay an account offers from now on. Example: fairwatt merchant offer 3 qr,jsapi"""
    with _commissioning() as (_, now_us):
        from fairwatt.flows import merchants

        chosen = [] if methods == "none" else [one for one in methods.split(",") if one]
        merchants.offer(account_id=account, methods=chosen, author=getpass.getuser(), now_us=now_us)
        typer.echo(f"Account {account} offers {', '.join(chosen) or 'nothing'} from now on.")


@app.command()
def listen(
    account: Annotated[int, typer.Argument(help="Number of the account.")],
    again: Annotated[
        bool, typer.Option("--again", help="Tell the provider once more, as after a deletion there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a provider was told of where we listen for payments that payers begin there (`paybill`).

    An account that offers `paybill` is told by the collector. Example: fairwatt merchant listen 3 --again
    """
    with _commissioning() as (config, now_us):
        from fairwatt.flows import unasked
        from fairwatt.store.models import MerchantAccount

        chosen = MerchantAccount.objects.get(pk=account)
        if again:
            unasked.tell_again(account_id=chosen.pk, now_us=now_us)
        told = _listening(chosen, config.web_origin())
        if as_json:
            typer.echo(json.dumps(told, ensure_ascii=False))
            return
        typer.echo(f"Asks us:  {told['check']}\nTells us: {told['tell']}\n{_LISTENS[told['state']]}")
        if told["trouble"]:
            typer.echo(f"The provider's newest trouble: {told['trouble']}.")


_LISTENS = {
    "none": "Nobody listens: the account does not offer `paybill`, or the collector has not run since it does.",
    "telling": "The provider is told by the collector as soon as it answers. Its list is read meanwhile.",
    "told": "The provider knows these addresses.",
    "kept": "The provider keeps addresses that it was told before. If they are not these, delete them at the "
    "provider's own page and run this with --again. Until then payments are found in its list, within two minutes.",
}


def _listening(account: Any, origin: str) -> dict[str, Any]:
    from fairwatt.flows import unasked
    from fairwatt.payments.unasked import addresses

    check, tell = addresses(origin=origin, token=account.token)
    stands = unasked.stands(account=account)
    state = "none" if stands is None else stands.state
    return {
        "account": account.pk,
        "check": check,
        "tell": tell,
        "state": state,
        "told_us": None if stands is None else stands.told_us,
        "trouble": "" if stands is None else stands.trouble,
    }


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the accounts, what they offer, and keys that wait to be confirmed. No secret is shown."""
    with _commissioning():
        rows = _listed()
        if as_json:
            typer.echo(json.dumps(rows, ensure_ascii=False))
            return
        for row in rows:
            typer.echo(
                f"{row['account']:>4}  {row['organisation']:<16} {row['provider']:<8} {row['label']:<20} "
                f"{', '.join(row['offers']) or 'offers nothing':<20} {row['health']}"
            )
            for key in row["waiting"]:
                typer.echo(
                    f"      keys {key['key']} wait: fingerprint {key['fingerprint'][:16]}, by {key['author']}"
                )
        if not rows:
            typer.echo("No organisation has an account; residents pay at the practice platform.")


def _listed() -> list[dict[str, Any]]:
    from django.db import connection

    from fairwatt.store.models import MerchantAccount, MerchantHealth, MerchantKey, MerchantOffer

    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM store_merchantkey WHERE by_role = 'fairwatt_web'")
        proposed = [int(key) for (key,) in cursor.fetchall()]
    out = []
    for account in MerchantAccount.objects.select_related("organisation").order_by("pk"):
        chosen = MerchantOffer.objects.filter(account=account).order_by("-pk").first()
        health = MerchantHealth.objects.filter(account=account).first()
        waiting = MerchantKey.objects.filter(account=account, merchantconfirmation__isnull=True).filter(
            pk__in=proposed
        )
        out.append(
            {
                "account": account.pk,
                "organisation": account.organisation.slug,
                "provider": account.provider,
                "label": account.label,
                "offers": [] if chosen is None else chosen.methods,
                "health": "" if health is None else health.code or "answers",
                "waiting": [
                    {"key": one.pk, "fingerprint": one.fingerprint, "author": one.author} for one in waiting
                ],
            }
        )
    return out


def read_settings(path: Path) -> dict[str, Any]:
    """Settings from a file that nobody but its owner may open; `@name` stands for the text of a file beside it."""
    try:
        mode = path.stat().st_mode
        if mode & 0o077:
            raise BadInput(
                f"{path} can be read by others (mode {stat.S_IMODE(mode):04o}). Nothing was written; run "
                f"`chmod 600 {path}`."
            )
        said = tomllib.loads(path.read_text())
        return {name: _filled(value, path.parent) for name, value in said.items()}
    except (OSError, UnicodeDecodeError) as failure:
        raise BadInput(f"{path} cannot be read ({type(failure).__name__}). Nothing was written.") from None
    except tomllib.TOMLDecodeError as wrong:
        # The parser's words may quote the text, and the text is keys.
        raise BadInput(
            f"{path} is no TOML ({type(wrong).__name__}). Nothing was written; correct it."
        ) from None


def _filled(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one, folder) for name, one in value.items()}
    if isinstance(value, str) and value.startswith("@"):
        return (folder / value[1:]).read_text()
    return value


def _seals(config: Config) -> Any:
    from fairwatt.flows.merchants import Seals
    from fairwatt.server.keys import MERCHANT_ACTING, MERCHANT_READING, load_sealing_public

    return Seals(
        reading=load_sealing_public(config.keys, name=MERCHANT_READING),
        acting=load_sealing_public(config.keys, name=MERCHANT_ACTING),
    )


@contextmanager
def _commissioning() -> Iterator[tuple[Config, int]]:
    """Meet the database as the role that also migrates; what was refused is an answer to a person."""
    from fairwatt.server.wiring import use_django

    config = Config.load()
    use_django(role="migrate")
    from django.core.exceptions import ObjectDoesNotExist

    from fairwatt.flows.merchants import MerchantRefused
    from fairwatt.payments.accounts import BadSettings

    try:
        yield config, clock_for(config).now_us()
    except (BadSettings, MerchantRefused) as wrong:
        raise BadInput(f"{wrong}") from None
    except ObjectDoesNotExist:
        raise BadInput(
            "There is no such account. Nothing was written; look at `fairwatt merchant list`."
        ) from None
