"""The doors of the platforms that are no shop's: a payer's page, and the control of a run."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from fairwatt.simulate.pay.books import Order, PayError
from fairwatt.simulate.pay.cards import NoCard, card_number
from fairwatt.simulate.pay.pages import page
from fairwatt.simulate.pay.talking import Said
from fairwatt.simulate.pay.world import World

_HTML = {"Content-Type": "text/html; charset=utf-8"}


def walked_in(world: World, *, method: str, path: str, body: bytes, language: str) -> Said | None:
    """A payer's page (`/p/<dialect>/<number>`) or the control of a run; None for any other address."""
    match method, path.strip("/").split("/"):
        case _, ["p", _, number]:
            order = world.books.by_number(number)
            if order is None:
                return Said(404, b"There is no such order.", {"Content-Type": "text/plain"})
            return _payer(world, order, method=method, body=body, language=language)
        case "GET", ["control", "truth"]:
            return Said(200, world.truth(), {"Content-Type": "application/json"})
        case "POST", ["control"]:
            try:
                return Said.of(200, world.control(json.loads(body)))
            except (ValueError, KeyError, TypeError, StopIteration, PayError) as wrong:
                return Said.of(400, {"error": f"{type(wrong).__name__}: {wrong}"})
    return None


def _payer(world: World, order: Order, *, method: str, body: bytes, language: str) -> Said:
    if order.way == "setup":
        return _saver(world, order, method=method, body=body, language=language)
    if method == "POST":
        if b"do=no" in body:
            order.state = "failed"
            world.say_no(order)
        elif not order.paid:
            try:
                if order.shop.dialect == "stripe":
                    card_number(_card(parse_qs(body.decode("utf-8", "replace"))))
                world.pay(order)
            except NoCard as wrong:
                return Said(wrong.status, page(order, language=language, state="card"), _HTML)
            except PayError:
                return Said(409, page(order, language=language, state="gone"), _HTML)
        if order.paid and order.return_url:
            return Said(303, b"", {"Location": order.return_url})
    state = "paid" if order.paid else "ask" if order.state == "open" else "gone"
    if state == "ask" and world.books.now_us() >= order.expires_us:
        state = "gone"
    return Said(200, page(order, language=language, state=state), _HTML)


def _card(typed: dict[str, list[str]]) -> str:
    return typed.get("card", [""])[0]


def _saver(world: World, order: Order, *, method: str, body: bytes, language: str) -> Said:
    """The page on which a card is saved for payments that are taken later."""
    typed = parse_qs(body.decode("utf-8", "replace"))
    if method == "POST" and "no" in typed.get("do", []):
        return Said(303, b"", {"Location": order.return_url})
    if method == "POST":
        try:
            world.stripe.cards.save(order, digits=_card(typed))
        except NoCard as wrong:
            return Said(wrong.status, page(order, language=language, state="card"), _HTML)
        except PayError:
            return Said(409, page(order, language=language, state="gone"), _HTML)
        return Said(303, b"", {"Location": order.return_url})
    saved = world.stripe.cards.of_session(order) is not None
    over = order.state != "open" or world.books.now_us() >= order.expires_us
    state = "paid" if saved else "gone" if over else "ask"
    return Said(200, page(order, language=language, state=state), _HTML)
