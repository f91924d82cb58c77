"""Stripe: a card on Stripe's own page, so that no card's number ever comes near us."""

from fairwatt.payments.stripe.provider import Stripe

__all__ = ["Stripe"]
