"""One home with two meters behind two gateways, a real poster and two real agents, and lines that come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from fairwatt.core.credit.policy import CreditPolicy
from fairwatt.wire.frames import command_frames, encode_ack
from support.desk import Desk, opened_desk
from support.hail import CLEAR, Behind, Gateway, Sky, Weather
from support.house import as_role
from support.street import FLAT, NOON_US, POLICY, Street

STEP_US: Final = 300 * 1_000_000
MICRO_PER_WH: Final = 200
ALONE_S: Final = 900
STRICT: Final = replace(POLICY, friendly=(), warn_lead_us=0, stale_after_us=48 * 3_600_000_000)
"""Nothing spares anybody: who has used his credit is cut at the next reading."""
_CUT_OFF: Final = Weather(lose=1000)


@dataclass
class Side:
    """A gateway, its meter and its line."""

    gateway: Gateway
    sky: Sky
    used_wh: int = 0

    @property
    def meter(self) -> Any:
        return self.gateway.meters[0]

    @property
    def number(self) -> int:
        return self.gateway.behind.meters[0]

    def left_micro(self, wallet: int) -> int | None:
        """What its agent says it may still use."""
        return self.gateway.agent.guard.available_micro(wallet=wallet)


@dataclass
class Home:
    """The home and everything around it."""

    desk: Desk
    sides: list[Side]
    now_us: int = NOON_US
    steps: int = 0
    paid_micro: int = 0
    lines_up: list[bool] = field(default_factory=lambda: [True, True])
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def wallet(self) -> int:
        return self.desk.street.wallets[0]

    @property
    def balance_micro(self) -> int:
        return self.desk.balance(self.sides[0].number)

    @property
    def used_micro(self) -> int:
        """What both meters drew, heard of or not."""
        return sum(side.used_wh for side in self.sides) * MICRO_PER_WH

    def line(self, n: int, *, up: bool) -> None:
        """Cut a line, or mend it."""
        self.lines_up[n] = up
        self.sides[n].sky.weather = CLEAR if up else _CUT_OFF

    def pay(self, amount_minor: int) -> None:
        """A top-up that the platform reports at once."""
        with as_role("web"):
            self.desk.street.pay(home=self.sides[0].number, amount_minor=amount_minor, now_us=self.now_us)
        self.paid_micro += amount_minor * 10_000

    def step(self, *use_wh: int) -> None:
        """Five minutes: each meter draws so much while its relay is closed, and everybody who can speaks."""
        self.now_us += STEP_US
        self.steps += 1
        for side, wh in zip(self.sides, use_wh, strict=True):
            if side.meter.relay_closed:
                side.meter.add_energy(wh)
                side.used_wh += wh
        for side in self.sides:
            side.gateway.step(now_us=self.now_us, poll=True)
        for _ in range(4):
            # Lines without delay: what is said is heard and answered within the step.
            self._talk()

    def _talk(self) -> None:
        frames = [
            (side.gateway.behind.slug, data)
            for side in self.sides
            for data in side.sky.arrived("up", now_us=self.now_us)
        ]
        result = self.desk.post(*frames, now_us=self.now_us)
        for side in self.sides:
            row = self.desk.state.gateway_ids[side.gateway.behind.slug]
            messages = result.send.get(row, [])
            if self.steps % 3 == 0:
                messages = [
                    order.payload
                    for n, order in self.desk.state.orders.items()
                    if self.desk.state.registers["gateway"][n] == row and order.state != "accepted"
                ]
            self.counts["orders"] += len(messages)
            for frame in command_frames(messages):
                side.sky.send("down", frame, now_us=self.now_us)
            for gateway, epoch, seq in result.acks:
                if gateway == row:
                    ack = encode_ack(
                        epoch=epoch, seq=seq, now_us=self.now_us, answers=result.answered.get(gateway)
                    )
                    side.sky.send("down", ack, now_us=self.now_us)
            side.gateway.step(now_us=self.now_us, poll=False)

    def settle(self) -> None:
        """Mend both lines and go on, without use, until nothing is on its way."""
        for n in (0, 1):
            self.line(n, up=True)
        for _ in range(12):
            self.step(0, 0)

    def leased_micro(self) -> int:
        """What gateways may still use, as the poster knows."""
        return sum(leases.held_micro for leases in self.desk.state.leases.values())

    def guard_balances(self) -> Counter[str]:
        """What came of comparing the gateways' counts with the ledger."""
        return Counter(event.reason for event in self.desk.events("gateway.guard_balance"))


@contextmanager
def a_home(*, folder: Path, policy: CreditPolicy = STRICT, **wishes: Any) -> Iterator[Home]:
    """A home with a meter behind each of two gateways, both on and on the line."""
    with opened_desk(Street(tariff=FLAT, credit=policy)) as desk, ExitStack() as stack:
        street = desk.street
        first = desk.home(**wishes)
        key = Ed25519PrivateKey.generate()
        slug = f"{street.gateway.slug}-b"
        second = first + 500_000
        with as_role("migrate"):
            _second_gateway(street, slug, key, second)
        desk.open(now_us=street.opened_us)
        behinds = (Behind(street.gateway.slug, street.key, [first]), Behind(slug, key, [second]))
        sides = []
        for behind in behinds:
            sky = Sky(draw=Random(0), weather=CLEAR)
            gateway = Gateway(desk=desk, folder=folder, sky=sky, behind=behind, link_timeout_s=ALONE_S)
            gateway.start()
            stack.callback(gateway.stop)
            sides.append(Side(gateway, sky))
        home = Home(desk, sides)
        home.step(0, 0)
        yield home


def _second_gateway(street: Street, slug: str, key: Ed25519PrivateKey, meter: int) -> None:
    from fairwatt.flows import provision

    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    gateway = provision.add_gateway(site_id=street.site.pk, slug=slug, public_key=public)
    spec = provision.MeterSpec(
        number=meter, profile="test", modulus_wh=10**9, resolution_wh=10, max_power_w=20_000
    )
    installation = provision.add_meter(
        wallet_id=street.wallets[0],
        gateway_id=gateway.pk,
        meter=spec,
        plan_id=street.plan.pk,
        opening_wh=0,
        now_us=street.opened_us,
    )
    street.installations.append(installation)


def is_dark(side: Side) -> bool:
    """Whether the meter's relay is open."""
    return not side.meter.relay_closed
