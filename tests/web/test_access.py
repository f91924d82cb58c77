"""Every address is tried by seven people; nobody gets what is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.credit import document, rule
from support.house import as_role
from web.access_matrix import ACCOUNT_PREFIXES, LOGIN, MATRIX, PEOPLE
from web.accounts import administrator, asked_back, close_month_of, disputed
from web.cash import Window, at_the_window
from web.costs import share_a_cost
from web.invoiced import invoiced, on_its_way
from web.lets import let_of
from web.meters import photographed
from web.reconciled import reconciled
from web.scene import NOW_US, Scene
from web.told import told


def addresses() -> Iterator[str]:
    """The names of all addresses the resolver knows, with their namespace."""
    from django.urls import URLPattern, URLResolver, get_resolver

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                inner = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
                yield from walk(pattern.url_patterns, inner)
            elif isinstance(pattern, URLPattern):
                yield f"{prefix}{pattern.name}"

    yield from walk(get_resolver().url_patterns, "")


@pytest.fixture(scope="module")
def people(scene: Scene, other: Scene) -> dict[str, Any]:
    return {
        "owner": scene.owner,
        "neighbour": scene.neighbour,
        "stranger": other.owner,
        "operator": scene.operator,
        "auditor": scene.auditor,
        "other_operator": other.operator,
        "anonymous": None,
    }


@pytest.fixture(scope="module")
def payment(scene: Scene) -> str:
    from fairwatt.flows.start_top_up import start_top_up

    return start_top_up(
        wallet_id=scene.wallets[0],
        amount_minor=700,
        provider="sandbox",
        user_id=scene.owner.pk,
        now_us=NOW_US,
    ).our_ref


@pytest.fixture(scope="module")
def refund(scene: Scene) -> int:
    """A refund that the desk asked for, and nobody agreed to."""
    return asked_back(scene)


@pytest.fixture(scope="module")
def invoice(scene: Scene) -> dict[str, Any]:
    """Addresses of an invoice of the first home, and of homes on their way from postpaid."""
    made = invoiced(scene)
    mine = [scene.public_id(0), made, "xml"]
    return {
        "home_report": [scene.public_id(0), "statement"],
        "home_file": [scene.public_id(0), "fees", "csv"],
        "invoice": [scene.slug, made],
        "invoice_file": [scene.slug, made, "xml"],
        "my_invoice": mine,
        "my_fapiao": mine[:2],
    } | on_its_way(scene)


@pytest.fixture(scope="module")
def case(scene: Scene) -> Any:
    """A dispute of the first home with a file in it."""
    return disputed(scene)


@pytest.fixture(scope="module")
def closed(scene: Scene) -> str:
    """A month of the scene's book that is closed."""
    return close_month_of(scene)


@pytest.fixture(scope="module")
def shared(scene: Scene) -> dict[str, int]:
    """A fee that is not due for long, a published cost with the owner's share, and a let of a unit far ahead."""
    return {**share_a_cost(scene), "let": let_of(scene)}


@pytest.fixture(scope="module")
def wished(scene: Scene) -> int:
    """A wish for one meter of the scene."""
    from fairwatt.flows.ask_push import start_push

    return start_push(
        book_id=scene.book,
        kind="set_clock",
        wish={"within_s": 30},
        words="after the battery",
        user_id=scene.operator.pk,
        now_us=NOW_US,
        meters=scene.homes[:1],
    )


@pytest.fixture(scope="module")
def photo(scene: Scene) -> int:
    """The photo of the first home's register."""
    return photographed(scene, 0)


@pytest.fixture(scope="module")
def waiting(scene: Scene) -> int:
    """A credit document that protects residents less, and waits for a second administrator."""
    written = rule(scene, administrator(scene), body=document("friendly: {hours: []}"), now_us=NOW_US)
    return int(written.rule)


@pytest.fixture(scope="module")
def providers_day(scene: Scene) -> tuple[int, str]:
    """A day of one of the scene's merchant accounts, held against its bill."""
    return reconciled(scene)


@pytest.fixture(scope="module")
def window(scene: Scene) -> Window:
    """A cash desk with an open shift and a payment."""
    return at_the_window(scene)


@pytest.fixture(scope="module")
def message(scene: Scene) -> Any:
    """A message that the owner got."""
    return told(scene)


def test_every_address_has_a_row(scene: Scene) -> None:
    known = set(MATRIX)
    unlisted = {name for name in addresses() if name not in known and not name.startswith(ACCOUNT_PREFIXES)}
    assert unlisted == set(), "give each new address a row in access_matrix.py"
    assert known <= set(addresses())


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("name", MATRIX)
def test_nobody_gets_what_is_not_theirs(
    name: str,
    who: str,
    scene: Scene,
    people: dict[str, Any],
    payment: str,
    refund: int,
    invoice: dict[str, Any],
    case: Any,
    closed: str,
    shared: dict[str, int],
    wished: int,
    photo: int,
    waiting: int,
    providers_day: tuple[int, str],
    window: Window,
    message: Any,
    signed_in: Any,
) -> None:
    from django.urls import reverse

    args = {
        **addressed(scene),
        "line": [f"{scene.book}-{scene.wallets[0]}-5"],
        "payment": [payment],
        "book payment": [scene.slug, payment],
        "code": ["0000-0000-0000-0000"],
        "shop order": ["wechat", "0" * 32, payment],
        "my_case": [scene.public_id(0), case.public_id],
        "my_evidence": [scene.public_id(0), case.public_id, case.shown.pk],
        "case": [scene.slug, case.public_id],
        "evidence": [scene.slug, case.public_id, case.shown.pk],
        "closed": [scene.slug, closed],
        "refund": [scene.slug, refund],
        **invoice,
        "push": [scene.slug, wished],
        "photo": [scene.slug, photo],
        "my_photo": [scene.public_id(0), photo],
        "credit rule": [scene.slug, waiting],
        "providers day": [scene.slug, *providers_day],
        **{key: [scene.slug, shared[key]] for key in ("fee", "cost", "let")},
        "fee entry": [scene.slug, shared["fee"], 1],
        "any share": [scene.slug, shared["share"]],
        "share": [scene.public_id(0), shared["share"]],
        "cash fact": [scene.slug, window.shift],
        "cash number": [scene.slug, window.number],
        "message": [message.code],
        "paper": [window.code],
        "paper file": [window.code, "80"],
    }[MATRIX[name].args]
    client = signed_in(people[who])
    response = (client.post if MATRIX[name].posts else client.get)(reverse(name, args=args))
    expected = getattr(MATRIX[name], who)
    if expected == LOGIN:
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/")
    else:
        assert response.status_code == expected
    response.close()


def addressed(scene: Scene) -> dict[str, list[Any]]:
    """Arguments that the scene alone knows."""
    return {
        "": [],
        "home": [scene.public_id(0)],
        "provider": ["sandbox"],
        "book provider": [scene.slug, "stripe"],
        "book account": [scene.slug, 10**6],
        "shop": ["wechat", "0" * 32],
        "book": [scene.slug],
        "home_report": [scene.public_id(0), "statement"],
        "home_file": [scene.public_id(0), "fees", "csv"],
        "report": [scene.slug, "liability"],
        "report_file": [scene.slug, "month-end", "xlsx"],
        "my_line": [scene.public_id(0), 8],
        "foreign alarm": [scene.slug, 1],
        "wallet": [scene.slug, scene.wallets[0]],
        "unit": [scene.slug, first_unit(scene)],
        "meter": [scene.slug, first_meter(scene)],
        "credit kind": [scene.slug, "terms"],
        "my contact": [scene.public_id(0), 10**6],
        "book words": [scene.slug, "low", "zh-hans"],
    }


def test_the_account_pages_of_a_passer_by_lead_to_the_door(scene: Scene, signed_in: Any) -> None:
    from django.urls import reverse

    for name in ("mfa_index", "account_change_password", "mfa_activate_totp"):
        response = signed_in(None).get(reverse(name))
        assert response.status_code == 302 and "/login/" in response["Location"], name


@pytest.mark.parametrize("address", ["password/reset/", "password/reset/done/", "email/", "password/set/"])
def test_nothing_offers_what_needs_mail(address: str, scene: Scene, signed_in: Any) -> None:
    assert signed_in(scene.owner).get(f"/accounts/{address}").status_code == 404


def test_confirming_who_one_is_names_people_instead_of_mail(scene: Scene, signed_in: Any) -> None:
    page = signed_in(scene.owner).get("/accounts/reauthenticate/").content.decode()
    assert "entrance-card" in page and "The people who look after your building" in page
    assert "Forgot" not in page and "password/reset" not in page


def test_the_limiter_says_how_long_and_whom_to_ask(scene: Scene, signed_in: Any) -> None:
    client = signed_in(None)
    tried = {"login": f"nobody-{scene.slug}", "password": "wrong"}
    pages = [client.post("/accounts/login/", tried).content.decode() for _ in range(6)]
    assert "wait five minutes" in pages[-1] and "The people who" in pages[-1]


def test_who_moved_out_sees_the_home_no_more(scene: Scene, signed_in: Any) -> None:
    from django.urls import reverse

    from fairwatt.store.models import Tenancy, User

    with as_role("migrate"):
        leaver = User.objects.create_user(f"leaver-{scene.slug}", None, "x")
        Tenancy.objects.create(
            wallet_id=scene.wallets[2], user=leaver, start_us=scene.opened_us, end_us=NOW_US
        )
    assert signed_in(leaver).get(reverse("tenant:home", args=[scene.public_id(2)])).status_code == 404


def test_without_a_scope_the_database_shows_nothing(scene: Scene) -> None:
    from fairwatt.store.models import Event, Line, UseDay, WalletHead

    for table in (Line, Event, UseDay, WalletHead):
        assert not table.objects.filter(book=scene.book).exists()


def test_the_scope_of_one_wallet_hides_the_neighbours(scene: Scene) -> None:
    from fairwatt.store.models import Event, UseDay, WalletHead
    from fairwatt.web.access import Scope, seeing

    with seeing(scope=Scope(books=(scene.book,), wallets=(scene.wallets[0],))):
        for table in (Event, UseDay, WalletHead):
            assert set(table.objects.values_list("wallet", flat=True)) <= {scene.wallets[0]}


def test_reading_a_page_cannot_write(scene: Scene) -> None:
    from django.db import InternalError

    from fairwatt.store.models import Unit
    from fairwatt.web.access import Scope, seeing

    with pytest.raises(InternalError, match="read-only"), seeing(scope=Scope(books=(scene.book,))):
        Unit.objects.filter(site=scene.site).update(vacant=True)


def first_unit(scene: Scene) -> int:
    from fairwatt.store.models import Unit

    return Unit.objects.get(site=scene.site, label=scene.labels[0]).pk


def first_meter(scene: Scene) -> int:
    from fairwatt.store.models import Meter

    return Meter.objects.get(gateway=scene.gateway, number=scene.homes[0]).pk
