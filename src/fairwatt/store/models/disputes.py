"""A dispute about one line: who doubts it, by when it is ruled, and everything said and shown until then."""

from __future__ import annotations

from django.db import models

from fairwatt.store.models.metering import Wallet
from fairwatt.store.models.people import User
from fairwatt.store.models.places import Book


class Dispute(models.Model):
    """A case about one line of a wallet. Its state is the fold of its entries."""

    public_id = models.UUIDField(unique=True)
    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT)
    line_seq = models.BigIntegerField()
    line_ts_us = models.BigIntegerField()
    line_ref = models.BigIntegerField()
    line_kind = models.SmallIntegerField()
    charged_micro = models.BigIntegerField()
    """What the line took from the wallet: the most that can be given back."""
    reason = models.CharField(max_length=20)
    words = models.TextField()
    due_us = models.BigIntegerField()
    opened_us = models.BigIntegerField()
    opened_by = models.ForeignKey(User, on_delete=models.PROTECT)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["wallet", "line_seq"], name="one_case_per_line")]


class DisputeEntry(models.Model):
    """One thing said, shown or decided in a case; never changed afterwards."""

    class Kind(models.TextChoices):
        """A ruling that gives money back counts when a second person has approved it."""

        MESSAGE = "message", "Message"
        EVIDENCE = "evidence", "Evidence"
        RULING = "ruling", "Ruling"
        APPROVAL = "approval", "Approval"
        REFUSAL = "refusal", "Refusal"

    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT)
    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    words = models.TextField(blank=True)
    refund_micro = models.BigIntegerField(default=0)
    about = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT)
    """The ruling that an approval or a refusal answers."""
    file_name = models.CharField(max_length=120, blank=True)
    media_type = models.CharField(max_length=40, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    content = models.BinaryField(default=b"")
    at_us = models.BigIntegerField()
    author = models.ForeignKey(User, on_delete=models.PROTECT)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(refund_micro__gte=0), name="a_ruling_takes_nothing"),
            models.UniqueConstraint(
                fields=["about"],
                condition=models.Q(kind__in=["approval", "refusal"]),
                name="a_ruling_is_answered_once",
            ),
        ]
