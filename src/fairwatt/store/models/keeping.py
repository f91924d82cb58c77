"""What bookkeepers write down beside the ledger: closed months, suppliers' bills, bank statements, opening balances.

Rows are written once (triggers refuse changes). What was entered wrongly is entered again and names what it replaces.
"""

from __future__ import annotations

from django.db import models

from fairwatt.store.models.metering import Wallet
from fairwatt.store.models.people import User
from fairwatt.store.models.places import Book, Site


class PeriodClose(models.Model):
    """A closed month of a book: which batches it is made of for ever, and the digest of its pack.

    The month is the batches after `first_batch` up to and with `last_batch`.
    """

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    month = models.CharField(max_length=7)
    start_us = models.BigIntegerField()
    end_us = models.BigIntegerField()
    first_batch = models.BigIntegerField()
    last_batch = models.BigIntegerField()
    as_of_batch = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    note = models.CharField(max_length=300, blank=True)
    closed_us = models.BigIntegerField()
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["book", "month"], name="a_month_closes_once")]


class SupplierBill(models.Model):
    """What the supplier charged for a site (or the whole book): energy, money, and the legal resale cap if any."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    site = models.ForeignKey(Site, null=True, blank=True, on_delete=models.PROTECT)
    supplier = models.CharField(max_length=120)
    number = models.CharField(max_length=60)
    start_us = models.BigIntegerField()
    end_us = models.BigIntegerField()
    energy_wh = models.BigIntegerField()
    net_micro = models.BigIntegerField()
    tax_micro = models.BigIntegerField()
    cap_micro_per_kwh = models.BigIntegerField(null=True, blank=True)
    cap_with_tax = models.BooleanField(default=True)
    cap_basis = models.CharField(max_length=200, blank=True)
    replaces = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT)
    entered_us = models.BigIntegerField()
    entered_by = models.ForeignKey(User, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end_us__gt=models.F("start_us"), energy_wh__gte=0),
                name="supplier_bill_has_a_period",
            ),
            models.UniqueConstraint(
                fields=["book", "supplier", "number"],
                condition=models.Q(replaces__isnull=True),
                name="supplier_bill_once",
            ),
        ]


class TrustStatement(models.Model):
    """What the bank says lies in the account that keeps residents' money, at an instant."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    account = models.CharField(max_length=60)
    at_us = models.BigIntegerField()
    balance_micro = models.BigIntegerField()
    reference = models.CharField(max_length=120)
    replaces = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT)
    entered_us = models.BigIntegerField()
    entered_by = models.ForeignKey(User, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["book", "account", "at_us"],
                condition=models.Q(replaces__isnull=True),
                name="trust_statement_once",
            )
        ]


class OpeningEntry(models.Model):
    """A balance brought over from an earlier system: credit above zero, debt below.

    Written at commissioning only: the web has no grant on it, because it makes credit.
    """

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    wallet = models.OneToOneField(Wallet, on_delete=models.PROTECT)
    amount_micro = models.BigIntegerField()
    reference = models.CharField(max_length=120)
    entered_us = models.BigIntegerField()
