"""Use becomes money, path by path: blocks, hours of the day, seasons and versions as they will be charged."""

from __future__ import annotations

from typing import Final

import numpy as np

from fairwatt.core.insight.ahead.prices import PricesAhead
from fairwatt.core.insight.ahead.use import Ints
from fairwatt.core.units import NANO_PER_MICRO

_SATURDAY: Final = 5


def cost_ahead(*, use_wh: Ints, prices: PricesAhead, shape: Ints, counter_wh: Ints) -> Ints:
    """Micro-units that use will have cost by the end of each day ahead: (rows, days, paths), a running total.

    ``shape`` is (rows, 2, half hours): when each home uses energy on working days and at weekends, in any measure.
    ``counter_wh`` is what each row's counting window holds as today begins. A day that crosses a block bound is split
    there by energy.
    """
    price = _mean_prices(prices, shape)
    if prices.bounds.shape[1] == 0:
        nano = use_wh * price[:, :, 0, None]
    else:
        nano = _over_blocks(use_wh, price, prices, counter_wh)
    nano //= NANO_PER_MICRO
    total: Ints = np.cumsum(nano, axis=1, out=nano)
    return total


def _mean_prices(prices: PricesAhead, shape: Ints) -> Ints:
    """(rows, days, blocks): the price of a kWh used as each home uses it."""
    # Weights of twenty bits times prices below 2^40: no sum of 48 overflows.
    weights = (shape << 20) // np.maximum(shape.sum(axis=2, keepdims=True), 1)
    weights = np.where(shape.sum(axis=2, keepdims=True) > 0, weights, 1)
    by_plan = np.einsum("sdt,kbt->sdkb", weights, prices.price) // weights.sum(axis=2)[:, :, None, None]
    weekend = (prices.kinds_ahead >= _SATURDAY).astype(np.int64)
    of_day: Ints = by_plan[:, weekend, prices.plan_of]
    return of_day


def _over_blocks(use_wh: Ints, price: Ints, prices: PricesAhead, counter_wh: Ints) -> Ints:
    after = np.cumsum(use_wh, axis=1)
    running = np.pad(after, ((0, 0), (1, 0), (0, 0)))
    counted = after - running[:, prices.window_day]
    counted += np.where(prices.window_day == 0, counter_wh[:, None], 0)[:, :, None]
    before = counted - use_wh
    nano = use_wh * price[:, :, 0, None]
    for block in range(price.shape[2] - 1):
        bound = prices.bounds[:, block][None, :, None]
        above = counted - bound
        np.maximum(above, 0, out=above)
        if above.any():
            before_above = before - bound
            above -= np.maximum(before_above, 0, out=before_above)
            above *= (price[:, :, block + 1] - price[:, :, block])[:, :, None]
            nano += above
    return nano
