"""Books, sites and the homes in them."""

from __future__ import annotations

from django.db import models

from fairwatt.store.models.people import Organisation


class Book(models.Model):
    """A ledger partition: one currency, one clock zone, one poster."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT)
    slug = models.SlugField(unique=True)
    currency = models.CharField(max_length=3)
    minor_digits = models.SmallIntegerField(default=2)
    zone = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.slug


class Site(models.Model):
    """A building or estate inside a book."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT)
    slug = models.SlugField()
    name = models.CharField(max_length=120)
    name_zh = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["book", "slug"], name="site_slug_in_book")]

    def __str__(self) -> str:
        return self.name


class Unit(models.Model):
    """A home or shop: the service point; it outlives meters and tenants."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT)
    label = models.CharField(max_length=20)
    floor = models.SmallIntegerField()
    position = models.SmallIntegerField()
    vacant = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "label"], name="unit_label_in_site")]

    def __str__(self) -> str:
        return self.label
