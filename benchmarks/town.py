"""A book of many homes for the benchmarks: made in bulk, filled with real payments, quiet afterwards."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.core.ids import uuid7
from fairwatt.flows.posting.intake import READING
from fairwatt.server.config import Config
from fairwatt.server.keys import SANDBOX_PROVIDER, load_private_key
from fairwatt.server.wiring import database_role, poster_for
from fairwatt.wire.commands import Receipt, Result, hash8, sign_receipt
from fairwatt.wire.frames import Item, Kind, UpFrame, encode_up

READING_BYTES: Final = READING.itemsize
HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
TICK_US: Final = 15 * 60_000_000
JULY_2013_US: Final = 1_372_636_800_000_000
"""2013-07-01 00:00 UTC"""

TARIFF: Final = """
fairwatt_tariff: 1
name: Tiers by time of use, standing charge, tax
currency: GBP
zone: Europe/London
versions:
  - effective: 2013-01-01
    elements:
      - energy:
          counter: month
          blocks_kwh: [100, 300]
          periods:
            - {name: day, hours: ["07:00-23:00"], prices: ["0.20", "0.25", "0.30"]}
            - {name: night, hours: ["23:00-07:00"], prices: ["0.10", "0.12", "0.15"]}
      - standing: {per_day: "0.25"}
      - tax: {name: VAT, percent: "5", on: [energy, standing]}
"""
POLICY: Final = CreditPolicy(
    zone="Europe/London",
    low_micro=2_000_000,
    low_wh=0,
    critical_micro=500_000,
    friendly=((0, 480), (1320, 1440)),
    friendly_weekends=False,
    warn_lead_us=HOUR_US,
    stale_after_us=2 * HOUR_US,
)


@dataclass(kw_only=True)
class Town:
    """Homes behind gateways, all in one book. Call `settle` under the poster's role."""

    config: Config
    gateways: int
    meters_each: int
    opened_us: int
    policy: CreditPolicy = POLICY
    paid_in_minor: int = 50_000_00
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    slugs: list[str] = field(default_factory=list)
    wallets: list[int] = field(default_factory=list)

    @property
    def homes(self) -> int:
        """How many homes there are."""
        return self.gateways * self.meters_each

    def build(self) -> None:
        """Write organisation, gateways, homes and tariff, and a waiting payment for each home."""
        with database_role("migrate"):
            self._commission()
        if self.paid_in_minor:
            self._pay_in(amount_minor=self.paid_in_minor)

    def _commission(self) -> None:
        from django.db import transaction

        from fairwatt.flows import provision
        from fairwatt.store import models

        tag = f"{os.getpid()}-{os.urandom(3).hex()}"
        site = provision.create_book(
            organisation_slug=f"bench-{tag}",
            organisation_name="Benchmark",
            book_slug=f"town-{tag}",
            currency="GBP",
            zone="Europe/London",
            site_slug=f"town-{tag}",
            site_name="Town",
        )
        self.book, self.site = site.book_id, site.slug
        policy = provision.add_policy(book_id=self.book, slug="homes", policy=self.policy)
        plan = provision.publish_tariff(
            book_id=self.book, slug="tariff", name="Tariff", text=TARIFF, now_us=self.opened_us
        )
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.slugs = [f"gw-{tag}-{n}" for n in range(self.gateways)]
        with transaction.atomic(durable=True):
            doors = models.Gateway.objects.bulk_create(
                models.Gateway(site=site, slug=slug, public_key=public) for slug in self.slugs
            )
            self.gateway_ids = [door.pk for door in doors]
            units = models.Unit.objects.bulk_create(
                models.Unit(site=site, label=f"{n:06d}", floor=1, position=n) for n in range(self.homes)
            )
            wallets = models.Wallet.objects.bulk_create(
                models.Wallet(
                    book=site.book,
                    unit=unit,
                    policy=policy,
                    public_id=uuid7(now_us=self.opened_us, entropy=os.urandom(10)),
                    opened_us=self.opened_us,
                )
                for unit in units
            )
            self.wallets = [wallet.pk for wallet in wallets]
            meters = models.Meter.objects.bulk_create(
                models.Meter(
                    gateway=doors[n // self.meters_each],
                    number=self.number(n),
                    profile="dlt645_single_phase",
                    modulus_wh=10**9,
                    resolution_wh=10,
                    max_power_w=20_000,
                )
                for n in range(self.homes)
            )
            models.Installation.objects.bulk_create(
                models.Installation(
                    meter=meter,
                    unit=unit,
                    wallet=wallet,
                    plan=plan,
                    opened_us=self.opened_us,
                    opening_wh=0,
                )
                for meter, unit, wallet in zip(meters, units, wallets, strict=True)
            )

    def number(self, home: int) -> int:
        """The 12-digit number of a home's meter."""
        return 100_000_000_000 + home

    def settle(self, *, state: Any, now_us: int) -> list[int]:
        """Post the payments and receipts for their grants; return the spool number of each gateway.

        Afterwards no order is open and nobody is near a threshold: the town as it is on most days.
        """
        from fairwatt.flows.posting.post_batch import post_batch

        poster = poster_for(self.config)
        while post_batch(state=state, messages=(), poster=poster, now_us=now_us).facts:
            pass
        items: dict[int, list[bytes]] = {gateway: [] for gateway in self.gateway_ids}
        for n, order in state.orders.items():
            head = state.registers[n]
            receipt = Receipt(
                meter=int(head["meter"]),
                seq=order.seq,
                result=Result.APPLIED,
                relay=1,
                available_micro=None,
                meter_time_us=now_us,
                command_hash8=hash8(order.payload),
            )
            gateway = int(head["gateway"])
            kid = state.gateways[gateway].slug.encode()
            items[gateway].append(sign_receipt(receipt=receipt, key=self.key, kid=kid))
        frames = [
            (
                slug,
                frame_of([(Kind.RECEIPT, body) for body in items[gateway]], first_seq=1, clock_us=now_us),
            )
            for slug, gateway in zip(self.slugs, self.gateway_ids, strict=True)
        ]
        post_batch(state=state, messages=frames, poster=poster, now_us=now_us)
        assert not state.orders, "the town is not quiet: orders are open"
        return [len(items[gateway]) for gateway in self.gateway_ids]

    def ticks(self, *, count: int, seed: int = 1) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
        """(instant, register of every home) for `count` quarter-hours; 0 to 400 Wh each."""
        draw = np.random.default_rng(seed)
        register = np.zeros(self.homes, dtype=np.int64)
        for n in range(1, count + 1):
            register = register + draw.integers(0, 41, size=self.homes) * 10
            yield self.opened_us + n * TICK_US, register

    def records(self, *, at_us: int, register: npt.NDArray[np.int64]) -> list[bytes]:
        """One packed record per gateway: all its meters at one instant."""
        readings = np.zeros(self.homes, dtype=READING)
        readings["meter"] = self.number(0) + np.arange(self.homes)
        readings["at_us"] = at_us
        readings["total_wh"] = register
        readings["power_w"], readings["voltage_dv"], readings["relay"] = 400, 2300, 1
        return [part.tobytes() for part in np.split(readings, self.gateways)]

    def callback(self, *, our_ref: str, amount_minor: int, now_us: int) -> tuple[dict[str, str], bytes]:
        """A callback signed by the sandbox platform: (headers, body)."""
        body = json.dumps(
            {
                "type": "payment.succeeded",
                "event_id": f"ev-{our_ref}",
                "provider_ref": f"pr-{our_ref}",
                "our_ref": our_ref,
                "amount_minor": amount_minor,
                "currency": "GBP",
                "paid_at_us": now_us,
            }
        ).encode()
        stamp, nonce = str(now_us // 1_000_000), os.urandom(8).hex()
        key = load_private_key(self.config.keys, name=SANDBOX_PROVIDER)
        signature = key.sign(f"{stamp}\n{nonce}\n".encode() + body)
        return {
            "X-Sandbox-Timestamp": stamp,
            "X-Sandbox-Nonce": nonce,
            "X-Sandbox-Signature": base64.b64encode(signature).decode(),
        }, body

    def _pay_in(self, *, amount_minor: int) -> None:
        from django.db import connection, transaction

        from fairwatt.store import facts, models

        with transaction.atomic(durable=True), connection.cursor() as cursor:
            intents = models.PaymentIntent.objects.bulk_create(
                models.PaymentIntent(
                    book_id=self.book,
                    wallet_id=wallet,
                    our_ref=uuid.uuid4().hex,
                    provider="sandbox",
                    amount_minor=amount_minor,
                    currency="GBP",
                    created_us=self.opened_us,
                )
                for wallet in self.wallets
            )
            for intent in intents:
                headers, body = self.callback(
                    our_ref=intent.our_ref, amount_minor=amount_minor, now_us=self.opened_us
                )
                facts.add(
                    cursor=cursor,
                    book=self.book,
                    kind="payment",
                    natural_key=f"sandbox:ev-{intent.our_ref}",
                    wallet=intent.wallet_id,
                    payload={"provider": "sandbox", "headers": headers},
                    raw=body,
                    now_us=self.opened_us,
                )


def frame_of(items: Sequence[tuple[int, bytes]], *, first_seq: int, clock_us: int, epoch: int = 1) -> bytes:
    """An up frame with consecutive spool numbers."""
    return encode_up(
        UpFrame(
            epoch=epoch,
            boot_id=b"bench-01",
            uptime_ms=1,
            clock_us=clock_us,
            oldest_seq=first_seq,
            hello=False,
            items=tuple(Item(first_seq + k, kind, body) for k, (kind, body) in enumerate(items)),
        )
    )


__all__ = ["TICK_US", "Town", "frame_of"]
