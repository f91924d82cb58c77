"""The addresses that providers call, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "/pay/callback/"
_PLACES: Final[Mapping[str, str]] = {"mpesa": "phone"}
"""What stands for a provider that refuses addresses with its own name in them."""
_PROVIDERS: Final[Mapping[str, str]] = {place: provider for provider, place in _PLACES.items()}


def address(*, origin: str, provider: str, token: str, ref: str = "") -> str:
    """Where a provider tells an account of its payments; with our reference `ref`, of this one."""
    begins = f"{origin}{PREFIX}{_PLACES.get(provider, provider)}/{token}"
    return f"{begins}/{ref}" if ref else begins


def provider_at(*, place: str) -> str:
    """The provider that was given an address; one given before under the provider's own name still is its."""
    return _PROVIDERS.get(place, place)
