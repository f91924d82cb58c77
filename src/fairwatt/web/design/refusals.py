"""A refusal, or what was done, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext

from fairwatt.core.refusal import Refusal, Sentence


def said(error: Refusal | Sentence) -> str:
    """A sentence, translated before its places are filled in."""
    words = gettext(error.words)
    if not error.places:
        return words
    return words % {
        name: said(one) if isinstance(one, Refusal | Sentence) else one for name, one in error.places.items()
    }
