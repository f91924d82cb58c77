"""Read models of the tables that sql/ledger.sql makes: history, its caches, and what waits.

Nothing here is written through the ORM: lines and journal by the book's poster (COPY), facts
by flows.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Line(models.Model):
    """One movement of a wallet, append-only. Amounts in micro-units, energy in Wh.

    `amount_micro` is the change of the balance (a charge is negative); the three components
    are costs (positive when the tenant pays).
    """

    pk = models.CompositePrimaryKey("ts", "ref", "kind", "book")
    ts = models.DateTimeField()
    ref = models.BigIntegerField()
    wallet = models.BigIntegerField()
    seq = models.BigIntegerField()
    register_wh = models.BigIntegerField()
    counter_wh = models.BigIntegerField()
    energy_micro = models.BigIntegerField()
    standing_micro = models.BigIntegerField()
    tax_micro = models.BigIntegerField()
    amount_micro = models.BigIntegerField()
    balance_micro = models.BigIntegerField()
    batch = models.BigIntegerField()
    energy_wh = models.IntegerField()
    tariff_version = models.IntegerField()
    carry_tax = models.IntegerField()
    book = models.IntegerField()
    carry_nano = models.SmallIntegerField()
    kind = models.SmallIntegerField()

    class Meta:
        managed = False
        db_table = "line"


class Journal(models.Model):
    """One leg of a batch; the legs of a batch sum to zero per currency (trigger)."""

    pk = models.CompositePrimaryKey("book", "batch", "leg")
    book = models.IntegerField()
    batch = models.BigIntegerField()
    leg = models.SmallIntegerField()
    account = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    amount_micro = models.BigIntegerField()
    at_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "journal"


class Shard(models.Model):
    """The write fence of a book: epoch of its poster and the last batch committed."""

    book = models.IntegerField(primary_key=True)
    epoch = models.BigIntegerField()
    last_batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "shard"


class Fact(models.Model):
    """Something that happened outside and waits to be posted (a payment, a new tariff)."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    kind = models.CharField(max_length=20)
    natural_key = models.CharField(max_length=160)
    wallet = models.BigIntegerField(null=True)
    payload = models.JSONField()
    raw = models.BinaryField()
    created_us = models.BigIntegerField()
    state = models.CharField(max_length=10)
    result = models.JSONField(null=True)
    batch = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "fact"


class Outbox(models.Model):
    """A signed command for a meter, kept until its receipt and its proof."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    gateway = models.BigIntegerField()
    meter = models.BigIntegerField()
    wallet = models.BigIntegerField()
    seq = models.BigIntegerField()
    relay = models.SmallIntegerField()
    reason = models.CharField(max_length=40)
    payload = models.BinaryField()
    state = models.CharField(max_length=12)
    created_us = models.BigIntegerField()
    expires_us = models.BigIntegerField()
    accepted_us = models.BigIntegerField(null=True)
    accepted_seq = models.BigIntegerField(null=True)
    proven_us = models.BigIntegerField(null=True)
    receipt = models.BinaryField(null=True)
    fact = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "outbox"


class Event(models.Model):
    """What happened and why, append-only: decisions with rule and evidence, warnings, alarms."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    at_us = models.BigIntegerField()
    kind = models.CharField(max_length=40)
    wallet = models.BigIntegerField(null=True)
    gateway = models.BigIntegerField(null=True)
    meter = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=40)
    rule = models.CharField(max_length=40)
    evidence = models.JSONField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "event"


class Quarantine(models.Model):
    """Data that could not be believed: kept whole, counted, shown to a person; supply stays on."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    gateway = models.BigIntegerField(null=True)
    meter = models.BigIntegerField(null=True)
    at_us = models.BigIntegerField(null=True)
    code = models.CharField(max_length=40)
    detail = models.CharField(max_length=300)
    raw = models.BinaryField()
    seen_us = models.BigIntegerField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "quarantine"


class WalletHead(models.Model):
    """Cache: where a wallet stands (rebuilt from `line` and `event`)."""

    wallet = models.BigIntegerField(primary_key=True)
    book = models.IntegerField()
    balance_micro = models.BigIntegerField()
    seq = models.BigIntegerField()
    level = models.SmallIntegerField()
    warned_us = models.BigIntegerField()
    cut_by_credit = models.BooleanField()
    withheld = models.CharField(max_length=40)
    read_us = models.BigIntegerField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "wallet_head"


class RegisterHead(models.Model):
    """Cache: the newest believed reading of an installation and its rating state."""

    installation = models.BigIntegerField(primary_key=True)
    book = models.IntegerField()
    wallet = models.BigIntegerField()
    at_us = models.BigIntegerField()
    register_wh = models.BigIntegerField()
    counter_wh = models.BigIntegerField()
    window_us = models.BigIntegerField()
    carry_nano = models.SmallIntegerField()
    carry_tax = models.IntegerField()
    relay = models.SmallIntegerField()
    power_w = models.IntegerField()
    voltage_dv = models.IntegerField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "register_head"


class GatewayHead(models.Model):
    """How far a gateway's spool is stored, and when it was last heard."""

    gateway = models.BigIntegerField(primary_key=True)
    book = models.IntegerField()
    epoch = models.BigIntegerField()
    seq = models.BigIntegerField()
    heard_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "gateway_head"


class UseDay(models.Model):
    """Cache: a wallet's local day in half-hour slots since local midnight (50 on a 25-hour day).

    A null slot is a gap, never zero.
    """

    pk = models.CompositePrimaryKey("wallet", "day_us")
    wallet = models.BigIntegerField()
    day_us = models.BigIntegerField()
    book = models.IntegerField()
    energy_wh = models.BigIntegerField()
    cost_micro = models.BigIntegerField()
    slots_wh = ArrayField(models.IntegerField(null=True))
    slots_micro = ArrayField(models.BigIntegerField(null=True))
    close_micro = models.BigIntegerField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "use_day"
