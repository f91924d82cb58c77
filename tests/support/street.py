"""Builders for flow tests: an organisation of its own per test, homes, frames, payments."""

from __future__ import annotations

import base64
import itertools
import json
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fairwatt.core.commands.restore_code import MasterKey
from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.metering.transformer import DIRECT, Transformer
from fairwatt.wire.commands import Command, Receipt, sign_command, sign_receipt
from fairwatt.wire.frames import Event, Item, Kind, UpFrame, encode_event, encode_up
from fairwatt.wire.records import Reading, pack_readings
from support.house import as_role

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
CODE_MASTER = b"m" * 32
NOON_US = 1_372_680_000_000_000
"""2013-07-01 12:00 UTC, a Monday"""

TARIFF = """
fairwatt_tariff: 1
name: Test tariff
currency: GBP
zone: Europe/London
versions:
  - effective: 2013-01-01
    elements:
      - energy:
          counter: month
          blocks_kwh: [100]
          periods:
            - {name: day, hours: ["07:00-23:00"], prices: ["0.20", "0.30"]}
            - {name: night, hours: ["23:00-07:00"], prices: ["0.10", "0.15"]}
      - standing: {per_day: "0.25"}
      - tax: {name: VAT, percent: "5", on: [energy, standing]}
"""
FLAT = """
fairwatt_tariff: 1
name: Flat
currency: GBP
zone: Europe/London
versions:
  - effective: 2013-01-01
    elements:
      - energy: {price: "0.20"}
"""
POLICY = CreditPolicy(
    zone="Europe/London",
    low_micro=2_000_000,
    low_wh=0,
    critical_micro=500_000,
    friendly=((0, 480), (1320, 1440)),
    friendly_weekends=False,
    warn_lead_us=HOUR_US,
    stale_after_us=2 * HOUR_US,
)
_numbers = itertools.count(1)


@dataclass
class Street:
    """A book with one gateway, ready to be posted to. Made under the web role."""

    tariff: str = TARIFF
    opened_us: int = NOON_US
    currency: str = "GBP"
    merchants: Any = None
    """whose accounts are read by the poster"""
    credit: CreditPolicy = POLICY
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    issuer: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    provider_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        with as_role("migrate"):
            self._provision()

    def _provision(self) -> None:
        from fairwatt.flows import provision

        n = next(_numbers)
        tag = f"{os.getpid()}-{n}"
        self.site = provision.create_book(
            organisation_slug=f"org-{tag}",
            organisation_name=f"Organisation {tag}",
            book_slug=f"book-{tag}",
            currency=self.currency,
            zone="Europe/London",
            site_slug=f"site-{tag}",
            site_name="Maple Court",
        )
        self.book = self.site.book_id
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.gateway = provision.add_gateway(site_id=self.site.pk, slug=f"gw-{tag}", public_key=public)
        self.policy = provision.add_policy(book_id=self.book, slug="homes", policy=self.credit)
        self.plan = provision.publish_tariff(
            book_id=self.book,
            slug="tariff",
            name="Tariff",
            text=self.tariff.replace("currency: GBP", f"currency: {self.currency}"),
            now_us=self.opened_us,
        )
        self.seq = 0
        self.epoch = 1
        self.homes: list[int] = []
        self.wallets: list[int] = []
        self.installations: list[int] = []

    def open_home(
        self,
        *,
        opening_wh: int = 0,
        protected: bool = False,
        tenants: tuple[object, ...] = (),
        transformer: Transformer = DIRECT,
        profile: str = "test",
    ) -> int:
        """Open a home and return its meter number."""
        n = len(self.homes) + 1
        number = 100_000_000_000 + n
        with as_role("migrate"):
            account = self._open(
                number,
                n,
                opening_wh,
                protected=protected,
                tenants=tenants,
                transformer=transformer,
                profile=profile,
            )
        self.homes.append(number)
        self.wallets.append(account.wallet_id)
        self.installations.append(account.installation_id)
        return number

    def _open(self, number: int, n: int, opening_wh: int, *, profile: str, **wishes: Any) -> Any:
        from fairwatt.flows import provision

        return provision.open_account(
            site_id=self.site.pk,
            label=f"{n:04d}",
            floor=1 + (n - 1) // 10,
            position=1 + (n - 1) % 10,
            gateway_id=self.gateway.pk,
            meter=provision.MeterSpec(
                number=number, profile=profile, modulus_wh=10**9, resolution_wh=10, max_power_w=20_000
            ),
            plan_id=self.plan.pk,
            policy_id=self.policy.pk,
            opening_wh=opening_wh,
            now_us=self.opened_us,
            entropy=os.urandom(10),
            **wishes,
        )

    def poster(self) -> object:
        """What post_batch needs besides the state."""
        from fairwatt.flows.posting.planning import Poster
        from fairwatt.payments.registry import providers

        def sign(command: Command) -> bytes:
            return sign_command(command=command, key=self.issuer, kid=b"issuer")

        return Poster(
            providers=providers(
                sandbox_key=self.provider_key.public_key(), sandbox_checkout="http://127.0.0.1"
            ),
            sign=sign,
            codes=MasterKey(CODE_MASTER),
            merchants=self.merchants,
        )

    def frame(self, *items: tuple[int, bytes], clock_us: int, hello: bool = False) -> tuple[str, bytes]:
        """A frame with the next spool numbers: items are (kind, body)."""
        first = self.seq + 1
        self.seq += len(items)
        frame = UpFrame(
            epoch=self.epoch,
            boot_id=b"bootboot",
            uptime_ms=1,
            clock_us=clock_us,
            oldest_seq=first,
            hello=hello,
            items=tuple(Item(first + k, kind, body) for k, (kind, body) in enumerate(items)),
        )
        return self.gateway.slug, encode_up(frame)

    def readings(self, *readings: Reading, clock_us: int | None = None) -> tuple[str, bytes]:
        """A frame with one record of readings."""
        return self.frame(
            (Kind.READINGS, pack_readings(readings)), clock_us=clock_us or max(r.at_us for r in readings)
        )

    def receipt(self, receipt: Receipt, *, clock_us: int) -> tuple[str, bytes]:
        """A frame with a receipt signed by the gateway."""
        return self.frame((Kind.RECEIPT, self.signed(receipt)), clock_us=clock_us)

    def signed(self, receipt: Receipt) -> bytes:
        """A receipt signed by this gateway."""
        return sign_receipt(receipt=receipt, key=self.key, kid=self.gateway.slug.encode())

    def event(self, event: Event, *, clock_us: int) -> tuple[str, bytes]:
        """A frame with an event."""
        return self.frame((Kind.EVENT, encode_event(event)), clock_us=clock_us)

    def callback(
        self,
        *,
        our_ref: str,
        amount_minor: int,
        now_us: int,
        event_id: str = "",
        provider_ref: str = "",
        currency: str = "GBP",
        paid_at_us: int | None = None,
    ) -> tuple[dict[str, str], bytes]:
        """A callback signed by the sandbox platform: (headers, body)."""
        body = json.dumps(
            {
                "type": "payment.succeeded",
                "event_id": event_id or f"ev-{our_ref}",
                "provider_ref": provider_ref or f"pr-{our_ref}",
                "our_ref": our_ref,
                "amount_minor": amount_minor,
                "currency": currency,
                "paid_at_us": now_us if paid_at_us is None else paid_at_us,
            }
        ).encode()
        stamp, nonce = str(now_us // 1_000_000), "n"
        signature = self.provider_key.sign(f"{stamp}\n{nonce}\n".encode() + body)
        return {
            "X-Sandbox-Timestamp": stamp,
            "X-Sandbox-Nonce": nonce,
            "X-Sandbox-Signature": base64.b64encode(signature).decode(),
        }, body

    def pay(self, *, home: int, amount_minor: int, now_us: int, **changes: object) -> int:
        """Start a top-up and deliver its callback, as the web would; return the fact id."""
        from fairwatt.flows.receive_payment import receive_callback
        from fairwatt.flows.start_top_up import start_top_up

        started = start_top_up(
            wallet_id=self.wallets[self.homes.index(home)],
            amount_minor=amount_minor,
            provider="sandbox",
            user_id=None,
            now_us=now_us,
        )
        headers, body = self.callback(
            our_ref=started.our_ref,
            **{"amount_minor": amount_minor, "now_us": now_us, **changes},  # type: ignore[arg-type]
        )
        provider = self.poster().providers["sandbox"]  # type: ignore[attr-defined]
        return receive_callback(provider=provider, headers=headers, body=body, now_us=now_us).fact_id


def reading(meter: int, at_us: int, wh: int, *, closed: bool = True) -> Reading:
    """A reading with the relay state a healthy meter shows."""
    return Reading(meter=meter, at_us=at_us, total_wh=wh, power_w=100, voltage_dv=2300, relay=int(closed))
