"""A refusal in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext

from fairwatt.flows.refusal import Refusal


def said(error: Refusal) -> str:
    """The sentence of a refusal, translated before its places are filled in."""
    words = gettext(error.words)
    return words % error.places if error.places else words
