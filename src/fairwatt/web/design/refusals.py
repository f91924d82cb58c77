"""A refusal in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext

from fairwatt.core.refusal import Refusal


def said(error: Refusal) -> str:
    """The sentence of a refusal, translated before its places are filled in."""
    words = gettext(error.words)
    if not error.places:
        return words
    return words % {
        name: said(one) if isinstance(one, Refusal) else one for name, one in error.places.items()
    }
