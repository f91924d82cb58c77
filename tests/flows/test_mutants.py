"""The laws would notice: each poster that is broken in one place is caught by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from django.db import transaction

from fairwatt.server.launcher.services import Services
from support.desk import Desk, opened_desk, part
from support.laws import LawBroken, check_laws
from support.street import FLAT, HOUR_US, NOON_US, Street


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    """A desk whose laws are expected to break."""
    with opened_desk(Street(tariff=FLAT.replace("0.20", "0.137999"))) as opened:
        yield opened


def an_afternoon(desk: Desk) -> None:
    """One home, ten odd readings in ten batches, and a top-up."""
    meter = desk.home()
    desk.pay(meter, 5_00, now_us=NOON_US)
    for n in range(1, 11):
        desk.read(meter, NOON_US + n * HOUR_US + n, 333 * n)


def test_a_sound_poster_keeps_the_laws(desk: Desk) -> None:
    an_afternoon(desk)
    check_laws(desk.street.book, acked=desk.acked)


def test_a_poster_that_acknowledges_before_its_commit_is_caught(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = part("post_batch").batch_transaction

    @contextmanager
    def never_durable(**wishes: Any) -> Iterator[Any]:
        with real(**wishes) as cursor:
            yield cursor
            transaction.set_rollback(True)  # the power fails after the acknowledgement, before the commit

    meter = desk.home()
    desk.read(meter, NOON_US + HOUR_US, 333)
    monkeypatch.setattr(part("post_batch"), "batch_transaction", never_durable)
    desk.read(meter, NOON_US + 2 * HOUR_US, 666)
    with pytest.raises(LawBroken, match="durable: gateway"):
        check_laws(desk.street.book, acked=desk.acked)


def test_a_poster_that_charges_a_duplicate_is_caught(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = part("preparing").charge_forward

    def twice(**wishes: Any) -> Any:
        lines, wallet_ix = real(**wishes)
        again = lines.copy()
        again["ts"] += 1  # the key of the table alone would have stopped an exact copy
        return np.concatenate((lines, again)), np.concatenate((wallet_ix, wallet_ix))

    monkeypatch.setattr(part("preparing"), "charge_forward", twice)
    an_afternoon(desk)
    with pytest.raises(LawBroken, match=r"energy: register .* were charged") as caught:
        check_laws(desk.street.book, acked=desk.acked)
    assert "oracle: wallet" in str(caught.value)


def test_a_poster_that_rounds_every_interval_is_caught(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = part("charging").rate_rows

    def forgetful(**wishes: Any) -> Any:
        nothing = np.zeros_like(wishes["carry_nano"])
        return real(**{**wishes, "carry_nano": nothing, "carry_tax": nothing})

    monkeypatch.setattr(part("charging"), "rate_rows", forgetful)
    an_afternoon(desk)
    with pytest.raises(LawBroken, match=r"oracle: wallet \d+ owes") as caught:
        check_laws(desk.street.book, acked=desk.acked)
    assert "energy:" not in str(caught.value), "only the price is wrong, by less than a thousandth of a penny"
