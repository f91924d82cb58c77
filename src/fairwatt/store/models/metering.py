"""Gateways, meters, wallets, and which register feeds which wallet."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact

from fairwatt.core.metering.transformer import MULTIPLE_MAX
from fairwatt.store.models.people import User
from fairwatt.store.models.places import Book, Site, Unit
from fairwatt.store.models.pricing import Policy, TariffPlan

AS_BEFORE: Final = 0
"""A trigger turns it into the transformers that the meter had at that unit, or none."""


class Gateway(models.Model):
    """A device on site that reads meters and obeys signed commands."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    slug = models.SlugField(unique=True)
    public_key = models.BinaryField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Exact(Length("public_key"), 32), name="gateway_key_is_32_bytes_of_ed25519"
            )
        ]

    def __str__(self) -> str:
        return self.slug


class Meter(models.Model):
    """A measuring device behind a gateway; `number` is its 12-digit address."""

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT)
    number = models.BigIntegerField()
    profile = models.CharField(max_length=60)
    modulus_wh = models.BigIntegerField()
    resolution_wh = models.IntegerField()
    max_power_w = models.IntegerField()
    feeds_gateway = models.BooleanField(default=False)
    feeder = models.CharField(max_length=40, blank=True, default="", db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway", "number"], name="meter_number_in_gateway")]

    def __str__(self) -> str:
        return f"{self.number:012d}"


class Wallet(models.Model):
    """A tenant's prepaid account at one unit."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT)
    public_id = models.UUIDField(unique=True)
    protected = models.BooleanField(default=False)
    opened_us = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.unit.label}"


class Tenancy(models.Model):
    """A person's right to see and fill a wallet; an owner may also borrow, take credit back, and invite others."""

    class Part(models.TextChoices):
        """What a person is in the home."""

        OWNER = "owner", "Owner"
        MEMBER = "member", "Member"

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT)
    user = models.ForeignKey(User, on_delete=models.PROTECT)
    start_us = models.BigIntegerField()
    end_us = models.BigIntegerField(null=True, blank=True)
    role = models.CharField(max_length=6, choices=Part.choices, default=Part.OWNER, db_default=Part.OWNER)

    class Meta:
        verbose_name_plural = "tenancies"
        constraints = [
            models.CheckConstraint(condition=Q(role__in=["owner", "member"]), name="tenancy_role_is_known")
        ]


class Installation(models.Model):
    """A register at work for a wallet: which meter, from which opening reading, under which tariff.

    A meter exchange or a tenant change closes one installation and opens another; lines
    name the installation, so a reading is never priced for the wrong person. ``ct_primary`` and ``ct_secondary`` are
    what is printed on the current transformers; they belong to the installation for life, and other transformers are
    another one. Left out, they are those of the meter's installation before it at that unit, or none: a resident who
    moves in takes no transformers away. Where the meter multiplies by itself (``ct_in_register``), nobody else does.
    """

    meter = models.ForeignKey(Meter, on_delete=models.PROTECT)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT)
    plan = models.ForeignKey(TariffPlan, on_delete=models.PROTECT)
    opened_us = models.BigIntegerField()
    opening_wh = models.BigIntegerField()
    opening_counter_wh = models.BigIntegerField(default=0)
    closed_us = models.BigIntegerField(null=True, blank=True)
    ct_primary = models.IntegerField(db_default=AS_BEFORE)
    ct_secondary = models.IntegerField(db_default=AS_BEFORE)
    ct_in_register = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["meter"], condition=Q(closed_us__isnull=True), name="one_open_installation_per_meter"
            ),
            models.CheckConstraint(
                condition=Q(
                    ct_secondary__gte=1,
                    ct_primary__gte=F("ct_secondary"),
                    ct_primary__lte=F("ct_secondary") * MULTIPLE_MAX,
                ),
                name="transformers_step_down",
            ),
        ]

    @property
    def transformer(self) -> tuple[int, int]:
        """What the register is multiplied and divided by to be charged."""
        return (1, 1) if self.ct_in_register else (self.ct_primary, self.ct_secondary)


class AccountParameter(models.Model):
    """What the prices of a home depend on (persons, sanctioned kW), in thousandths, from an instant on. Append-only."""

    book = models.IntegerField()
    wallet = models.BigIntegerField()
    installation = models.ForeignKey(Installation, on_delete=models.PROTECT)
    name = models.CharField(max_length=60)
    from_us = models.BigIntegerField()
    value_milli = models.BigIntegerField()
    created_us = models.BigIntegerField()
    author = models.CharField(max_length=150)


class PaymentIntent(models.Model):
    """A top-up somebody means to pay; the state is a fold of the payment facts."""

    class State(models.TextChoices):
        """CREATED -> PENDING -> PAID -> CREDITED; money that comes after EXPIRED, CLOSED or FAILED is credited too.

        REVIEW when the provider's facts do not match.
        """

        CREATED = "created", "Created"
        PENDING = "pending", "Pending"
        PAID = "paid", "Paid"
        CREDITED = "credited", "Credited"
        PART_REFUNDED = "part_refunded", "Refunded in part"
        REFUNDED = "refunded", "Refunded"
        EXPIRED = "expired", "Expired"
        CLOSED = "closed", "Closed"
        FAILED = "failed", "Failed"
        REVIEW = "review", "In review"
        CHARGEBACK = "chargeback", "Charged back"

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT)
    our_ref = models.CharField(max_length=40, unique=True)
    provider = models.CharField(max_length=20)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=16, choices=State.choices, default=State.CREATED)
    provider_ref = models.CharField(max_length=160, blank=True)
    created_us = models.BigIntegerField()
    credited_us = models.BigIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)
    account = models.ForeignKey("MerchantAccount", null=True, on_delete=models.PROTECT)
    """None: a provider of the whole installation (the sandbox)"""
    method = models.CharField(max_length=10, db_default="", default="")
    payer = models.CharField(max_length=160, db_default="", default="")
    """who is asked (a telephone, a login code), until the provider has been; then it is forgotten"""
    language = models.CharField(max_length=10, db_default="en", default="en")
    on_phone = models.BooleanField(db_default=False, default=False)
    return_url = models.CharField(max_length=300, db_default="", default="")
    expires_us = models.BigIntegerField(null=True)
    action = models.JSONField(null=True)
    """what the payer sees next, once the provider has said it"""
    provider_order = models.CharField(max_length=160, db_default="", default="")
    trouble = models.CharField(max_length=40, db_default="", default="")
    troubles = models.IntegerField(db_default=0, default=0)
    asks = models.IntegerField(db_default=0, default=0)
    ask_us = models.BigIntegerField(null=True)
    """when the collector asks next; None: nothing more is asked"""

    class Meta:
        indexes = [models.Index(fields=["ask_us"], condition=Q(ask_us__isnull=False), name="intent_to_ask")]
