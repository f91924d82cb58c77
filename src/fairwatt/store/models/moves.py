"""Read models of sql/moves.sql: homes that changed hands, and the money of who left. The book's poster writes them."""

from __future__ import annotations

from django.db import models


class Changeover(models.Model):
    """Where one installation of a register ended and the next began, as it was first posted."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    fact = models.BigIntegerField()
    kind = models.CharField(max_length=10)
    unit = models.BigIntegerField()
    at_us = models.BigIntegerField()
    old_installation = models.BigIntegerField()
    new_installation = models.BigIntegerField(null=True)
    old_wallet = models.BigIntegerField()
    new_wallet = models.BigIntegerField(null=True)
    register_wh = models.BigIntegerField()
    counter_wh = models.BigIntegerField()
    window_us = models.BigIntegerField()
    carry_nano = models.IntegerField()
    carry_tax = models.IntegerField()
    basis = models.CharField(max_length=10)
    author = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    made_us = models.BigIntegerField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "changeover"


class ChangeoverKnown(models.Model):
    """The register of a change is provisional no more."""

    changeover = models.BigIntegerField(primary_key=True)
    book = models.IntegerField()
    basis = models.CharField(max_length=10)
    register_wh = models.BigIntegerField()
    known_us = models.BigIntegerField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "changeover_known"


class AccountEnd(models.Model):
    """A person left a home: where the money that is left goes."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    fact = models.BigIntegerField()
    wallet = models.BigIntegerField()
    at_us = models.BigIntegerField()
    settle = models.CharField(max_length=10)
    to_wallet = models.BigIntegerField(null=True)
    author = models.BigIntegerField()
    made_us = models.BigIntegerField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "account_end"


class RefundWish(models.Model):
    """Money owed to a person who left, until a refund pays it out."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    wallet = models.BigIntegerField()
    amount_micro = models.BigIntegerField()
    way = models.CharField(max_length=10)
    fact = models.BigIntegerField()
    made_us = models.BigIntegerField()
    batch = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "refund_wish"
