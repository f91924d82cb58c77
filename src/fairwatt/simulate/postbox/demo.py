"""The demo's lines: a mailbox, a phone, a browser's push and a chat of staff, all on this machine."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import threading
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from fairwatt.core.notices.model import LADDER, Channel, Step
from fairwatt.core.notices.wording import LANGUAGES
from fairwatt.notifier.lines import FILE
from fairwatt.server.config import Config
from fairwatt.server.launcher.ports import choose_ports
from fairwatt.simulate.estate import ORGANISATION
from fairwatt.simulate.postbox.box import Postbox
from fairwatt.simulate.postbox.world import Arrived

_PORTS: Final = ("postbox", "postbox_smtp")
_MAIL: Final = "home.example"


def mailbox_of(label: str) -> str:
    """Where a resident of the demo gets letters."""
    return f"home-{label}@{_MAIL}"


class DemoPost:
    """Opened when life begins: the notifier's lines are written down, and residents have phones."""

    def __init__(self, *, config: Config) -> None:
        self._config = config
        self._box: Postbox | None = None

    @property
    def url(self) -> str:
        """Where one sees what arrived."""
        return f"http://127.0.0.1:{self._port('postbox')}"

    def open(self) -> None:
        """Take letters and messages from now on."""
        ports = choose_ports(self._config, names=_PORTS)
        kept = self._settings()
        self._box = Postbox(
            smtp_port=ports["postbox_smtp"],
            http_port=ports["postbox"],
            secrets={"aliyun": kept["aliyun"]},
            reports=lambda one: threading.Thread(
                target=self._report, args=(one, kept["token"]), daemon=True
            ).start(),
        )
        self._box.__enter__()
        self._write_lines(kept)
        self._give_phones()

    def close(self) -> None:
        """No more."""
        if self._box is not None:
            self._box.__exit__()
            self._box = None

    def _port(self, name: str) -> int:
        return int(
            choose_ports(self._config, names=_PORTS)[name]
            if self._box is None
            else self._config.ports()[name]
        )

    def _settings(self) -> dict[str, str]:
        """Secrets of the demo's accounts; the same at every start, so that browsers stay subscribed."""
        path = self._config.state / "postbox.json"
        if path.exists():
            return dict(json.loads(path.read_text()))
        number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        made = {
            "aliyun": secrets.token_hex(16),
            "token": secrets.token_hex(16),
            "push": base64.urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode(),
        }
        _write(path, json.dumps(made))
        return made

    def _write_lines(self, kept: dict[str, str]) -> None:
        words = '["home", "balance", "time", "amount", "code"]'
        steps = [
            step
            for step in Step
            if step in LADDER or step in (Step.BALANCE, Step.CODE, Step.CONTACT, Step.DIGEST)
        ]
        templates = "".join(
            f'[line.templates.{language}.{step}]\ncode = "SMS_{step}"\nwords = {words}\n'
            for language in LANGUAGES
            for step in steps
        )
        text = f"""# Written by the demo at each start: nothing of it leaves this machine.
[[line]]
organisation = "{ORGANISATION}"
name = "letters"
kind = "smtp"
host = "127.0.0.1"
port = {self._config.ports()["postbox_smtp"]}
security = "none"
sender = "Fairwatt demo <power@demo.example>"

[[line]]
organisation = "{ORGANISATION}"
name = "browser"
kind = "webpush"
private = "{kept["push"]}"
subject = "mailto:power@demo.example"

[[line]]
organisation = "{ORGANISATION}"
name = "chat"
kind = "apprise"
urls = ["json://127.0.0.1:{self._config.ports()["postbox"]}/staff"]

[[line]]
organisation = "{ORGANISATION}"
name = "phones"
kind = "aliyun"
access_key = "demo"
access_secret = "{kept["aliyun"]}"
sign_name = "Fairwatt"
endpoint = "{self.url}"
callback_token = "{kept["token"]}"
{templates}"""
        _write(self._config.state / FILE, text)

    def _give_phones(self) -> None:
        """Every second resident has a phone that the desk noted at moving in."""
        from django.db import connection, transaction

        from fairwatt.store import contacts
        from fairwatt.store.models import User

        with transaction.atomic(), connection.cursor() as cursor:
            people = (
                User.objects.filter(email__endswith=f"@{_MAIL}").order_by("pk").values_list("pk", flat=True)
            )
            for n, person in enumerate(people):
                contacts.see_person(cursor=cursor, person=person)
                if n % 2 == 0 and not contacts.contacts(cursor=cursor, person=person):
                    contacts.add_contact(
                        cursor=cursor,
                        person=person,
                        channel=Channel.SMS,
                        address=f"+861380000{n:04d}",
                        details={},
                        proof="",
                        now_us=0,
                    )

    def _report(self, one: Arrived, token: str) -> None:
        """The provider tells that a message arrived, as it does: a POST of a list."""
        told: list[dict[str, Any]] = [
            {
                "phone_number": one.to,
                "biz_id": one.provider_ref,
                "out_id": one.ref,
                "success": True,
                "err_code": "DELIVERED",
            }
        ]
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(f"{self._config.web_origin()}/n/heard/{token}", json=told, timeout=5, trust_env=False)


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
