"""Fees, shared costs and who carries them: what people wrote down. Append-only (sql/costs.sql).

What was really taken is `CostEntry`, which only the book's poster writes.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from fairwatt.store.models.metering import Wallet
from fairwatt.store.models.people import User
from fairwatt.store.models.places import Book, Site, Unit


class UnitMeasure(models.Model):
    """What a unit counts by from an instant on: area in hundredths of a square metre, people.

    A `common` unit (corridor, lift, plant room) takes no part and owes no fee.
    """

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT)
    from_us = models.BigIntegerField()
    area_dm2 = models.IntegerField(default=0)
    heads = models.SmallIntegerField(default=0)
    common = models.BooleanField(default=False)
    created_us = models.BigIntegerField()
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(area_dm2__gte=0) & Q(heads__gte=0), name="unit_measures_are_not_negative"
            )
        ]


class LandlordAccount(models.Model):
    """The wallet from which a site's owner pays for vacant units; without one he owes it in the journal."""

    site = models.OneToOneField(Site, on_delete=models.PROTECT)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT)


class FeeRule(models.Model):
    """How fees and shared costs stand behind energy in a book; the newest row counts."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    reserve_micro = models.BigIntegerField(default=0)
    reserve_days = models.SmallIntegerField(default=7)
    recovery_bp = models.SmallIntegerField(default=2_000)
    fees_may_cut = models.BooleanField(default=False)
    legal_reference = models.CharField(max_length=200, blank=True)
    created_us = models.BigIntegerField()
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(fees_may_cut=False) | ~Q(legal_reference=""),
                name="a_fee_that_may_cut_names_its_law",
            )
        ]


class Fee(models.Model):
    """A recurring or single fee of a book, for one unit or for all; amounts in micro-units before tax."""

    class Category(models.TextChoices):
        """What the fee is for; each has its own revenue account."""

        PROPERTY = "property", "Property fee"
        PARKING = "parking", "Parking"
        RENT = "rent", "Rent"
        OTHER = "other", "Other"

    class Basis(models.TextChoices):
        """An amount for each unit, or for each square metre of it."""

        UNIT = "unit", "For each unit"
        AREA = "area", "For each square metre"

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.PROTECT)
    name = models.CharField(max_length=80)
    category = models.CharField(max_length=10, choices=Category.choices)
    basis = models.CharField(max_length=4, choices=Basis.choices, default=Basis.UNIT)
    amount_micro = models.BigIntegerField()
    tax_bp = models.IntegerField(default=0)
    every = models.CharField(max_length=8)
    day = models.SmallIntegerField(default=1)
    month = models.SmallIntegerField(default=1)
    advance = models.BooleanField(default=False)
    priority = models.SmallIntegerField(default=50)
    first_day = models.DateField()
    end_day = models.DateField(null=True, blank=True)
    created_us = models.BigIntegerField()
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_micro__gt=0), name="a_fee_is_above_zero"),
            models.CheckConstraint(
                condition=Q(tax_bp__gte=0) & Q(tax_bp__lte=10_000), name="a_fees_tax_is_a_percentage"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FeeEnd(models.Model):
    """A fee is owed no more from a day on."""

    fee = models.OneToOneField(Fee, on_delete=models.PROTECT)
    end_day = models.DateField()
    created_us = models.BigIntegerField()
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)


class CostFormula(models.Model):
    """One published version of a formula (JSON of core.costs.formula); never edited."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    version = models.IntegerField()
    body = models.JSONField()
    created_us = models.BigIntegerField()
    created_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["book", "version"], name="formula_version_in_book")]


class Allocation(models.Model):
    """A cost to be shared over a site for the local days [first_day, end_day): the draft, and what it became."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    formula = models.ForeignKey(CostFormula, on_delete=models.PROTECT)
    title = models.CharField(max_length=80)
    first_day = models.DateField()
    end_day = models.DateField()
    source = models.JSONField()
    total_micro = models.BigIntegerField()
    objection_days = models.SmallIntegerField()
    salt = models.CharField(max_length=32)
    created_us = models.BigIntegerField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(total_micro__gt=0), name="a_shared_cost_is_above_zero"),
            models.CheckConstraint(
                condition=Q(objection_days__gte=1) & Q(objection_days__lte=90),
                name="objections_take_1_to_90_days",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class AllocationProof(models.Model):
    """The published file of an allocation, as residents can take it away; units under their keys."""

    allocation = models.OneToOneField(Allocation, on_delete=models.PROTECT)
    body = models.JSONField()
    digest = models.CharField(max_length=80)
    published_us = models.BigIntegerField()
    deadline_us = models.BigIntegerField()
    published_by = models.ForeignKey(User, on_delete=models.PROTECT)


class AllocationShare(models.Model):
    """One published share; rows of a wallet are hidden from everybody else."""

    book = models.IntegerField()
    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT)
    wallet = models.BigIntegerField(null=True)
    unit = models.BigIntegerField(null=True)
    key = models.CharField(max_length=40)
    payer = models.CharField(max_length=10)
    first_day = models.DateField()
    end_day = models.DateField()
    amount_micro = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["allocation", "key"], name="share_key_in_allocation")]


class CostStep(models.Model):
    """What a person did about a shared cost or a fee, and why: published, objected, upheld, rejected, reversed."""

    book = models.IntegerField()
    wallet = models.BigIntegerField(null=True)
    allocation = models.BigIntegerField(null=True)
    share = models.BigIntegerField(null=True)
    entry = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=10)
    person = models.ForeignKey(User, on_delete=models.PROTECT)
    at_us = models.BigIntegerField()
    reason = models.CharField(max_length=500, blank=True)
    amount_micro = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["share"], condition=Q(kind="objected"), name="a_share_is_objected_to_once"
            ),
            models.UniqueConstraint(
                fields=["share"],
                condition=Q(kind__in=("upheld", "rejected")),
                name="an_objection_is_decided_once",
            ),
            models.UniqueConstraint(
                fields=["allocation"],
                condition=Q(kind="reversed", share__isnull=True),
                name="an_allocation_is_reversed_once",
            ),
            models.UniqueConstraint(
                fields=["entry"], condition=Q(kind="reversed"), name="an_entry_is_reversed_once"
            ),
        ]


class CostEntry(models.Model):
    """What the poster made of one fee, share, recovery or reversal (sql/costs.sql); append-only.

    `due_micro` and `tax_micro` were owed; `taken_micro` the wallet paid at once, `arrears_micro` stayed open
    (a recovery and a reversal lower it). Without a wallet the landlord owes it. `of` is the entry it belongs to.
    """

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    wallet = models.BigIntegerField(null=True)
    unit = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=10)
    key = models.CharField(max_length=120)
    account = models.CharField(max_length=40)
    fee = models.BigIntegerField(null=True)
    share = models.BigIntegerField(null=True)
    of = models.BigIntegerField(null=True)
    first_day = models.DateField(null=True)
    end_day = models.DateField(null=True)
    priority = models.SmallIntegerField()
    due_micro = models.BigIntegerField()
    tax_micro = models.BigIntegerField()
    taken_micro = models.BigIntegerField()
    arrears_micro = models.BigIntegerField()
    inputs = models.JSONField()
    fact = models.BigIntegerField()
    at_us = models.BigIntegerField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "cost_entry"
