"""The doors and gateways of a street: made from a scenario, and written into the product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fairwatt.core.commands.restore_code import gateway_key
from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.edge.agent import Agent
from fairwatt.edge.config import BrokerConfig, BusConfig, EdgeConfig, MeterConfig
from fairwatt.edge.local.settings import LocalConfig
from fairwatt.server.config import Config
from fairwatt.server.keys import ISSUER, issuer_kid, load_public_key
from fairwatt.server.launcher.nats import door_password
from fairwatt.simulate.meters import Dlt645Bus, FaultPlan, SimMeter
from fairwatt.simulate.network import FaultyLink
from fairwatt.simulate.oracle import Account, Tariff
from fairwatt.simulate.scenario import REGISTER_MODULUS_WH, TICK_US, Home, Outage, Scenario
from fairwatt.simulate.terms import Terms

if TYPE_CHECKING:
    from fairwatt.store.models import User

METER_BASE: Final = 202_600_000_000
MAX_POWER_W: Final = 14_000
METER_PASSWORD: Final = "02123456"  # noqa: S105 - a virtual meter's factory password
ORGANISATION: Final = "maple"
SITE: Final = "court"


@dataclass(slots=True)
class Paid:
    """A payment somebody made, in micro-units, and the state of the world then."""

    at_us: int
    amount_micro: int
    our_ref: str
    dark: bool
    online: bool


@dataclass(slots=True)
class Door:
    """One home while the street runs."""

    home: Home
    meter: SimMeter
    number: int
    account: Account
    """what it must be charged"""
    lived: Account
    """what its gateway counts that never lost its memory"""
    woken: Account
    """what its gateway counts that was given an old copy of its memory"""
    wallet: int = 0
    installation: int = 0
    heard: int = 0
    """How many of the meter's emitted registers the oracle was told."""
    paid: list[Paid] = field(default_factory=list)
    warned_at_us: int | None = None
    dark_since_us: int | None = None
    last_paid_us: int | None = None
    """the last payment the resident decided on (not the opening balance)"""
    costs: dict[int, int] = field(default_factory=dict)
    """tick instant -> exact cost so far, by the oracle"""
    closed_at_s: float = 0.0
    spared: tuple[int, int] | None = None
    """from when until when a restore code keeps the power on"""
    household: tuple[Door, ...] = ()
    """the doors of one wallet, this one among them; the first one opened it"""
    usable_micro: int = 0
    """what the household's gateways might still use together when last looked at"""
    review_us: int | None = None
    """when a payment of this home went into review, which spares it for a while"""
    review_micro: int = 0

    @property
    def label(self) -> str:
        """The number on the door: floor and position."""
        return f"{self.home.index // 4 + 1}{self.home.index % 4 + 1:02d}"


@dataclass(slots=True)
class Gate:
    """One gateway: its agent, its bus of meters, its line to the head-end."""

    index: int
    slug: str
    key: Ed25519PrivateKey
    doors: list[Door]
    bus: Dlt645Bus
    row: int = 0
    link: FaultyLink | None = None
    agent: Agent | None = None
    outage: Outage | None = None
    healed_s: float | None = None
    """when its line came back, until the orders that had waited were carried out"""


def make_door(*, scenario: Scenario, home: Home, tariff: Tariff) -> Door:
    """A home with its meter, and the oracle's account of it."""
    number = METER_BASE + home.index + 1
    meter = SimMeter(
        number=str(number),
        register_wh=home.opening.register_wh,
        zone=scenario.terms.zone,
        password=METER_PASSWORD,
        faults=FaultPlan(scenario.faults_of(home.index), seed=f"{scenario.seed}/{home.index}"),
    )
    account, lived, woken = (
        Account(tariff, home.opening, REGISTER_MODULUS_WH, MAX_POWER_W) for _ in range(3)
    )
    door = Door(home, meter, number, account, lived, woken)
    door.household = (door,)
    return door


def make_gate(*, index: int, doors: list[Door], now: Callable[[], int]) -> Gate:
    """A gateway with a fresh key, and its meters on one bus."""
    mine = [door for door in doors if door.home.gateway == index]
    bus = Dlt645Bus(meters=[door.meter for door in mine], now=now)
    return Gate(index, f"gw-{index + 1}", Ed25519PrivateKey.generate(), mine, bus)


def provision_street(
    *,
    scenario: Scenario,
    doors: list[Door],
    gates: list[Gate],
    tenant: Callable[[str], User] | None = None,
) -> tuple[int, int]:
    """Write organisation, tariff, gateways and homes into the product; return (book, site).

    `tenant` makes the person who lives behind a door, by its label.
    """
    from fairwatt.flows import provision
    from fairwatt.store.models import Role

    terms, now_us = scenario.terms, scenario.start_us
    site = provision.create_book(
        organisation_slug=ORGANISATION,
        organisation_name="Maple Court Management",
        book_slug="maple",
        currency=terms.currency,
        zone=terms.zone,
        site_slug=SITE,
        site_name="Maple Court",
        site_name_zh="枫园",
    )
    plan = provision.publish_tariff(
        book_id=site.book_id, slug="homes", name="Homes", text=terms.tariff_text, now_us=now_us
    )
    policy = provision.add_policy(book_id=site.book_id, slug="homes", policy=_policy(terms))
    for gate in gates:
        public = gate.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        gate.row = provision.add_gateway(site_id=site.pk, slug=gate.slug, public_key=public).pk
    for door in doors:
        spec = provision.MeterSpec(
            number=door.number,
            profile="dlt645_single_phase",
            modulus_wh=REGISTER_MODULUS_WH,
            resolution_wh=10,
            max_power_w=MAX_POWER_W,
        )
        if door is not door.household[0]:
            door.wallet = door.household[0].wallet
            door.installation = provision.add_meter(
                wallet_id=door.wallet,
                gateway_id=gates[door.home.gateway].row,
                meter=spec,
                plan_id=plan.pk,
                opening_wh=door.home.opening.register_wh,
                now_us=now_us,
            )
            continue
        account = provision.open_account(
            site_id=site.pk,
            label=door.label,
            floor=door.home.index // 4 + 1,
            position=door.home.index % 4 + 1,
            tenants=[tenant(door.label)] if tenant is not None else [],
            gateway_id=gates[door.home.gateway].row,
            meter=spec,
            plan_id=plan.pk,
            policy_id=policy.pk,
            opening_wh=door.home.opening.register_wh,
            now_us=now_us,
            entropy=sha256(f"{scenario.seed}/{door.home.index}".encode()).digest()[:10],
            protected=door.home.protected,
        )
        door.wallet, door.installation = account.wallet_id, account.installation_id
    for name, role in (("clerk", Role.OPERATOR), ("chief", Role.ADMIN)) if tenant is None else ():
        provision.add_person(organisation_slug=ORGANISATION, username=name, role=role, password=None)
    return site.book_id, site.pk


def edge_config(*, config: Config, book: int, zone: str, gate: Gate) -> EdgeConfig:
    """What the agent of a gateway needs; its waits are short, because domain time stands still meanwhile."""
    issuer = load_public_key(config.keys, name=ISSUER)
    spools = config.state / "edge"
    spools.mkdir(exist_ok=True)
    meters = tuple(
        MeterConfig(number=door.number, address=str(door.number), password=METER_PASSWORD)
        for door in gate.doors
    )
    return EdgeConfig(
        book=str(book),
        site=SITE,
        gateway=gate.slug,
        zone=zone,
        spool=spools / f"{gate.slug}.sqlite",
        broker=BrokerConfig(
            host="127.0.0.1",
            port=gate.link.port if gate.link else 0,
            password=door_password(config, gateway=gate.slug),
            resend_s=0.04,
            answer_within_s=0.3,
            reconnect_min_s=0.05,
            reconnect_max_s=0.5,
            return_spread_s=0.0,
        ),
        buses=(
            BusConfig(
                name="bus-1",
                host="127.0.0.1",
                port=gate.bus.port,
                reply_within_ms=100,
                attempts=2,
                meters=meters,
            ),
        ),
        local=LocalConfig(code_key=_code_key(config=config, gateway=gate.slug)),
        key=gate.key,
        kid=gate.slug.encode(),
        issuers={issuer_kid(issuer): issuer},
        interval_s=TICK_US // 1_000_000,
        voltage_every=48,
        # No second copy of what was acknowledged: a street must notice a head-end that acknowledges too early.
        spool_history_bytes=0,
        measure_every=48,
        link_timeout_s=TICK_US // 1_000_000 - 60,
    )


def _code_key(*, config: Config, gateway: str) -> bytes:
    """The secret that lets one gateway judge codes, as it is given at commissioning."""
    return gateway_key(master=config.secrets.require("restore").encode(), gateway=gateway)


def _policy(terms: Terms) -> CreditPolicy:
    return CreditPolicy(
        zone=terms.zone,
        low_micro=terms.low_micro,
        low_wh=terms.low_wh,
        critical_micro=terms.critical_micro,
        friendly=terms.friendly,
        friendly_weekends=terms.friendly_weekends,
        warn_lead_us=terms.warn_lead_us,
        stale_after_us=terms.stale_after_us,
    )
