"""Read models of sql/refunds.sql: money on its way back. The book's poster moves it."""

from __future__ import annotations

from django.db import models


class Paid(models.Model):
    """A payment that was credited, and what of it went back. A fold of the poster's."""

    fact = models.BigIntegerField(primary_key=True)
    book = models.IntegerField()
    wallet = models.BigIntegerField()
    intent = models.BigIntegerField()
    our_ref = models.CharField(max_length=40)
    provider = models.CharField(max_length=20)
    account = models.BigIntegerField(null=True)
    provider_ref = models.CharField(max_length=160)
    currency = models.CharField(max_length=3)
    paid_minor = models.BigIntegerField()
    open_minor = models.BigIntegerField()
    done_minor = models.BigIntegerField()
    lost_minor = models.BigIntegerField()
    credited_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "paid"

    @property
    def left_minor(self) -> int:
        """What has not gone back, and is not on its way."""
        return max(0, self.paid_minor - self.open_minor - self.done_minor - self.lost_minor)


class Refund(models.Model):
    """Money on its way back, from its asking to its end."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    wallet = models.BigIntegerField()
    refund_ref = models.CharField(max_length=200)
    origin = models.CharField(max_length=10)
    way = models.CharField(max_length=10)
    payment = models.BigIntegerField(null=True)
    account = models.BigIntegerField(null=True)
    wish = models.BigIntegerField(null=True)
    asked_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=300)
    author = models.BigIntegerField(null=True)
    asked_us = models.BigIntegerField()
    state = models.CharField(max_length=10)
    amount_minor = models.BigIntegerField()
    code = models.CharField(max_length=60)
    moved_us = models.BigIntegerField()
    provider_refund = models.CharField(max_length=160)
    paid_by = models.CharField(max_length=10)
    ask_us = models.BigIntegerField(null=True)
    asks = models.IntegerField()
    troubles = models.IntegerField()
    trouble = models.CharField(max_length=40)

    class Meta:
        managed = False
        db_table = "refund"


class RefundAnswer(models.Model):
    """What a person answered to a refund. Append-only."""

    id = models.BigAutoField(primary_key=True)
    refund = models.BigIntegerField()
    book = models.IntegerField()
    wallet = models.BigIntegerField()
    answer = models.CharField(max_length=10)
    author = models.BigIntegerField()
    words = models.CharField(max_length=300)
    at_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "refund_answer"


class Chargeback(models.Model):
    """A payment that its provider took back."""

    id = models.BigAutoField(primary_key=True)
    book = models.IntegerField()
    wallet = models.BigIntegerField()
    payment = models.BigIntegerField()
    account = models.BigIntegerField()
    provider_ref = models.CharField(max_length=160)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=4)
    taken = models.BooleanField()
    told_us = models.BigIntegerField()
    moved_us = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "chargeback"
