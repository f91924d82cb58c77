"""Merchant accounts of an organisation, what was heard about payments, and how the lines to providers stand."""

from __future__ import annotations

from django.db import models

from fairwatt.store.models.metering import PaymentIntent
from fairwatt.store.models.people import Organisation
from fairwatt.store.models.places import Book


class MerchantAccount(models.Model):
    """An organisation's own account at a payment provider: what residents pay goes there, never through us."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT)
    provider = models.CharField(max_length=20)
    label = models.CharField(max_length=60)
    token = models.CharField(max_length=40, unique=True)
    """unguessable; the address that the provider calls ends in it"""
    created_us = models.BigIntegerField()
    author = models.CharField(max_length=150)

    def __str__(self) -> str:
        return self.label


class MerchantKey(models.Model):
    """Settings and keys of an account from an instant on; a later row adds to the earlier ones. Append-only.

    `reading` is sealed for who reads callbacks (web, poster, collector). What acts in the merchant's name lies in
    `merchant_acting`, sealed for the collector alone.
    """

    account = models.ForeignKey(MerchantAccount, on_delete=models.PROTECT)
    settings = models.JSONField()
    reading = models.BinaryField()
    fingerprint = models.CharField(max_length=64)
    """SHA-256 over all of it, to be compared by the two people it takes"""
    created_us = models.BigIntegerField()
    author = models.CharField(max_length=150)


class MerchantConfirmation(models.Model):
    """At the command line somebody let keys that came in over a page take effect. Append-only."""

    key = models.OneToOneField(MerchantKey, on_delete=models.PROTECT)
    created_us = models.BigIntegerField()
    author = models.CharField(max_length=150)


class MerchantOffer(models.Model):
    """Which ways to pay an account offers from an instant on; the newest row holds. Append-only."""

    account = models.ForeignKey(MerchantAccount, on_delete=models.PROTECT)
    methods = models.JSONField()
    created_us = models.BigIntegerField()
    author = models.CharField(max_length=150)


class MerchantHealth(models.Model):
    """Cache: how the line to a provider stands, as the collector sees it."""

    account = models.OneToOneField(MerchantAccount, on_delete=models.PROTECT, primary_key=True)
    available = models.BooleanField()
    code = models.CharField(max_length=40, blank=True)
    """the newest trouble, empty when the newest answer was good"""
    skew_s = models.IntegerField(null=True)
    """how far the provider's clock is ahead of ours"""
    said_us = models.BigIntegerField()


class PaymentEvent(models.Model):
    """What was heard of a payment, a refund or a chargeback, and how surely. Append-only; states are folds of it."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    wallet = models.BigIntegerField()
    account = models.ForeignKey(MerchantAccount, on_delete=models.PROTECT)
    intent = models.ForeignKey(PaymentIntent, on_delete=models.PROTECT)
    kind = models.CharField(max_length=12)
    state = models.CharField(max_length=12)
    assurance = models.CharField(max_length=10)
    event_id = models.CharField(max_length=160)
    provider_ref = models.CharField(max_length=160, blank=True)
    refund_ref = models.CharField(max_length=80, blank=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    occurred_us = models.BigIntegerField()
    detail = models.CharField(max_length=80, blank=True)
    raw_sha256 = models.CharField(max_length=64, blank=True)
    heard_us = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "event_id", "state", "assurance"], name="payment_event_once"
            )
        ]
        indexes = [models.Index(fields=["intent", "id"], name="payment_event_intent")]


class CallbackCount(models.Model):
    """How many callbacks of a UTC day were refused, by account and reason: probes, forgeries, stale ones."""

    account = models.ForeignKey(MerchantAccount, on_delete=models.PROTECT)
    day = models.DateField()
    code = models.CharField(max_length=40)
    count = models.IntegerField()
    last_us = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "day", "code"], name="callback_count_once")]
