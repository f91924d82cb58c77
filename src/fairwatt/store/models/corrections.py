"""What was charged anew: read models of sql/corrections.sql, and tariffs that are to be corrected in the past."""

from __future__ import annotations

from django.db import models

from fairwatt.store.models.places import Book
from fairwatt.store.models.pricing import TariffPlan, TariffPublication


class Rerating(models.Model):
    """A register that was rated again: from when to when, why, and where it stood afterwards."""

    pk = models.CompositePrimaryKey("installation", "batch", "fact")
    book = models.IntegerField()
    installation = models.BigIntegerField()
    batch = models.BigIntegerField()
    fact = models.BigIntegerField()
    wallet = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    from_us = models.BigIntegerField()
    until_us = models.BigIntegerField()
    counted_us = models.BigIntegerField()
    register_wh = models.BigIntegerField()
    counter_wh = models.BigIntegerField()
    window_us = models.BigIntegerField()
    publication = models.BigIntegerField()
    carry_tax = models.IntegerField()
    carry_nano = models.SmallIntegerField()
    readings = models.IntegerField()
    cause = models.CharField(max_length=10)
    author = models.CharField(max_length=150)
    reason = models.CharField(max_length=300)

    class Meta:
        managed = False
        db_table = "rerating"


class Correction(models.Model):
    """What a CORRECTION line corrects: component, local day, the lines of that day, the exact amounts."""

    pk = models.CompositePrimaryKey("book", "ref", "ts_us")
    book = models.IntegerField()
    ref = models.BigIntegerField()
    ts_us = models.BigIntegerField()
    wallet = models.BigIntegerField()
    seq = models.BigIntegerField()
    batch = models.BigIntegerField()
    fact = models.BigIntegerField()
    day_us = models.BigIntegerField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    from_us = models.BigIntegerField()
    until_us = models.BigIntegerField()
    old_exact = models.DecimalField(max_digits=40, decimal_places=0)
    new_exact = models.DecimalField(max_digits=40, decimal_places=0)
    component = models.CharField(max_length=10)

    class Meta:
        managed = False
        db_table = "correction"


class TariffCorrection(models.Model):
    """A tariff text that is to replace one already charged, placed by commissioning and confirmed by a person.

    `preview` is what it was computed to come to when it was placed. The row never changes: a fact of kind
    `tariff_correction` confirms it, and the poster then publishes its text as a publication of its own.
    """

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    plan = models.ForeignKey(TariffPlan, on_delete=models.PROTECT)
    replaces = models.ForeignKey(TariffPublication, on_delete=models.PROTECT, related_name="replaced_by")
    text = models.TextField()
    author = models.CharField(max_length=150)
    reason = models.CharField(max_length=300)
    placed_us = models.BigIntegerField()
    preview = models.JSONField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.plan} #{self.pk}"
