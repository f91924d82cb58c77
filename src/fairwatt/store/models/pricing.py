"""Tariffs and credit policies as published."""

from __future__ import annotations

from django.db import models

from fairwatt.store.models.places import Book


class TariffPlan(models.Model):
    """A named tariff of a book; its text is versioned and never edited in place."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    slug = models.SlugField()
    name = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["book", "slug"], name="tariff_slug_in_book")]

    def __str__(self) -> str:
        return self.name


class TariffPublication(models.Model):
    """One published text of a plan: all versions known when it was published.

    The newest publication is in force; an older one stays to explain what an edge
    knew while it was away. One with a `correction` replaces prices that were charged already: a register
    is charged under it from its rerating on.
    """

    plan = models.ForeignKey(TariffPlan, on_delete=models.PROTECT)
    published_us = models.BigIntegerField()
    text = models.TextField()
    correction = models.OneToOneField(
        "store.TariffCorrection", null=True, on_delete=models.PROTECT, related_name="publication"
    )

    class Meta:
        ordering = ["id"]


class Policy(models.Model):
    """When to warn, when to cut, and when nobody may be cut (JSON of CreditPolicy)."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    slug = models.SlugField()
    body = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["book", "slug"], name="policy_slug_in_book")]
        verbose_name_plural = "policies"
