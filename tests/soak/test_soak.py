"""A few thousand of what `make soak` does a million times."""

from __future__ import annotations

import importlib

import pytest

from soak import Soaked, protocols


@pytest.mark.parametrize("protocol", protocols())
def test_what_is_damaged_is_refused_by_name(protocol: str) -> None:
    found = importlib.import_module(f"soak.{protocol}").soak(count=2_000, seed=41)
    assert isinstance(found, Soaked)
    assert found.mutated == 2_000 == sum(found.refused.values()) + found.passed
    assert found.ok, found
