"""Organisations and the people who sign in."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class Organisation(models.Model):
    """A company that runs homes on this installation; it owns books."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """The three staff levels, and the resident."""

    TENANT = "tenant", "Tenant"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Administrator"
    AUDITOR = "auditor", "Auditor"


class User(AbstractUser):
    """A person who signs in; a tenant belongs to wallets, staff to an organisation."""

    organisation = models.ForeignKey(Organisation, null=True, blank=True, on_delete=models.PROTECT)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.TENANT)

    @property
    def is_desk(self) -> bool:
        """True for people who may see the console of their organisation."""
        return self.organisation_id is not None and self.role in (Role.OPERATOR, Role.ADMIN, Role.AUDITOR)
