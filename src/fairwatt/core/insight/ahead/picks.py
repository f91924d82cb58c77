"""Which past stretch each path into the future repeats: chance that anybody can work out again from its seed."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

PATHS: Final = 200
"""How many futures a home is given; four times each of the fifty weeks that eight weeks of days hold."""
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)

Words = npt.NDArray[np.uint64]


def picks(*, seed: int, draws: int) -> Words:
    """For each draw and path a number below 2^32: where in the past to begin, in proportion.

    Each draw lays its paths evenly over the past and shuffles them, so 200 paths see as much as many more would.
    The mixing is SplitMix64 (Steele, Lea, Flood 2014), written here because the forecast of a past day must come out
    the same on every machine and under every later library.
    """
    first = _mixed(seed, np.arange(draws * PATHS, dtype=np.uint64))
    place = np.argsort(first.reshape(draws, PATHS), axis=1, kind="stable").argsort(axis=1).astype(np.uint64)
    inside = (_mixed(seed + 1, np.arange(draws * PATHS, dtype=np.uint64)) >> np.uint64(32)).reshape(
        place.shape
    )
    spread: Words = ((place << np.uint64(32)) + inside) // np.uint64(PATHS)
    return spread


def _mixed(seed: int, number: Words) -> Words:
    with np.errstate(over="ignore"):
        mixed = np.uint64(seed & (2**64 - 1)) + (number + np.uint64(1)) * _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
        out: Words = mixed ^ (mixed >> np.uint64(31))
    return out
