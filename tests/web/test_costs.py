"""What residents and the desk see of fees and shared costs is what the ledger says, and acts are theirs alone."""

from __future__ import annotations

import html
import io
import re
from datetime import date
from decimal import Decimal
from typing import Any

import openpyxl
import pypdf
import pytest
from asgiref.sync import async_to_sync
from django.utils import translation

from fairwatt.server.launcher.services import Services
from support.house import as_role
from web.costs import charge_everything, share_a_cost, write_fee
from web.scene import DAY_US, NOW_US, Scene


@pytest.fixture(scope="module")
def building(house: Services) -> tuple[Scene, dict[str, int]]:
    """A small building with a charged cost, a published one, and a fee that left arrears."""
    scene = Scene(floors=1, columns=4)
    scene.live()
    old = share_a_cost(scene, at_us=NOW_US - 20 * DAY_US, title="Garden lights")
    write_fee(
        scene,
        name="Rent",
        category="rent",
        basis="unit",
        amount_micro=900_000_000,
        end_day=date(2026, 11, 21),
    )
    charge_everything(scene)
    return scene, {**share_a_cost(scene), "old": old["share"], "old_cost": old["cost"]}


def text(response: Any) -> str:
    page = re.sub(r"<(style|script).*?</\1>", " ", response.content.decode(), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_resident_sees_arrears_apart_from_the_balance(
    building: tuple[Scene, dict[str, int]], signed_in: Any
) -> None:
    from fairwatt.store.models import CostEntry
    from fairwatt.web.access import Scope, seeing

    scene, _ = building
    with seeing(scope=Scope(books=(scene.book,))):
        mine = CostEntry.objects.filter(wallet=scene.wallets[0])
        still_open = sum(row.arrears_micro for row in mine)
    assert still_open > 0
    page = text(signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/owed/"))
    assert f"¥{still_open // 10_000 / 100:,.2f}" in page
    assert "This never switches the power off" in page
    assert "Rent" in page and "Garden lights" in page


def test_a_share_explains_itself_and_adds_up(building: tuple[Scene, dict[str, int]], signed_in: Any) -> None:
    scene, made = building
    page = text(signed_in(scene.owner).get(f"/home/{scene.public_id(0)}/owed/{made['share']}/"))
    assert "Together, the whole cost ¥486.400000" in page
    assert "70 % by floor area" in page and "You may object until" in page
    figures = re.search(r"Your home ¥([\d.]+) \d+ other shares ¥([\d.]+)", page)
    assert figures is not None
    mine, others = (int(figure.replace(".", "")) for figure in figures.groups())
    assert mine + others == 486_400_000


def test_the_file_a_resident_takes_away_is_right_and_names_no_home(
    building: tuple[Scene, dict[str, int]], signed_in: Any
) -> None:
    from fairwatt.core.costs.proof import read_proof, verify

    scene, made = building
    for kind in ("csv", "json"):
        address = f"/home/{scene.public_id(0)}/owed/{made['share']}/file/?format={kind}"
        response = signed_in(scene.owner).get(address)
        body = read_proof(response.content.decode())
        assert not verify(body).faults
        assert not {row["unit"] for row in body["shares"]} & set(scene.labels)


def test_the_proof_on_paper_and_as_a_sheet_holds_every_figure_of_the_ledger(
    building: tuple[Scene, dict[str, int]], signed_in: Any, request: pytest.FixtureRequest
) -> None:
    from fairwatt.store.models import AllocationProof, AllocationShare
    from fairwatt.web.access import Scope, seeing

    scene, made = building
    request.addfinalizer(translation.deactivate)  # a page in Chinese leaves the thread in Chinese
    with seeing(scope=Scope(books=(scene.book,))):
        shares = list(AllocationShare.objects.filter(allocation=made["cost"]))
        proof = AllocationProof.objects.get(allocation=made["cost"])
    exact = {share.key: share.amount_micro for share in shares}
    assert sum(exact.values()) == proof.body["total_micro"] == 486_400_000
    mine = f"/home/{scene.public_id(0)}/owed/{made['share']}/file/"
    desk = f"/console/{scene.slug}/costs/{made['cost']}/file/"
    for client, address in ((signed_in(scene.owner), mine), (signed_in(scene.operator), desk)):
        for language, title in (("en", "shared"), ("zh-hans", "公摊费用凭证")):
            asked = {"headers": {"accept-language": language}}
            paper = taken(client.get(f"{address}?format=pdf", **asked))
            said = " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(paper)).pages).split()
            sheets = openpyxl.load_workbook(
                io.BytesIO(taken(client.get(f"{address}?format=xlsx", **asked)))
            ).worksheets
            cells = {row[0]: row[-1] for row in sheets[1].iter_rows(min_row=2, values_only=True)}
            for key, micro in exact.items():
                assert key in said and plain(micro) in said, (language, key)
                assert round(Decimal(str(cells[key])) * 10**6) == micro
            assert "486.40" in said and title in said
            assert not set(said) & set(scene.labels)
            assert paper == taken(client.get(f"{address}?format=pdf", **asked)), (
                "the same proof, the same bytes"
            )


def taken(response: Any) -> bytes:
    """A file as it arrives, piece by piece."""

    async def whole() -> bytes:
        return b"".join([piece async for piece in response])

    assert response.status_code == 200
    return async_to_sync(whole)()


def plain(micro: int) -> str:
    whole, _, part = f"{micro // 10**6}.{micro % 10**6:06d}".partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def test_an_objection_goes_from_the_resident_to_a_colleague_who_decides(
    building: tuple[Scene, dict[str, int]], signed_in: Any
) -> None:
    from fairwatt.store.models import CostStep, User
    from fairwatt.web.access import Scope, seeing

    scene, made = building
    address = f"/home/{scene.public_id(0)}/owed/{made['share']}/"
    page = signed_in(scene.owner).post(address + "object/", {"reason": "I was away"}, follow=True)
    assert "Your share is held until somebody decides" in text(page)
    with as_role("migrate"):
        organisation = scene.site.book.organisation
        colleague = User.objects.create_user(
            f"colleague-{scene.slug}", None, "x", organisation=organisation, role="operator"
        )
    desk = f"/console/{scene.slug}/costs/"
    assert "1 objection waits" in text(signed_in(scene.operator).get(desk))
    waiting = text(signed_in(scene.operator).get(f"/console/{scene.slug}/"))
    assert "An objection to a shared cost waits for a decision" in waiting
    asked = {"outcome": "uphold", "amount": "1.50", "reason": "away all month"}
    said = signed_in(scene.operator).post(f"{desk}share/{made['share']}/decide/", asked, follow=True)
    assert "ask a colleague" in text(said)
    said = signed_in(colleague).post(f"{desk}share/{made['share']}/decide/", asked, follow=True)
    assert "Upheld, the share is ¥1.50" in text(said)
    assert "Upheld: your share is ¥1.50" in text(signed_in(scene.owner).get(address))
    with seeing(scope=Scope(books=(scene.book,))):
        step = CostStep.objects.get(share=made["share"], kind="upheld")
    assert (step.person_id, step.amount_micro) == (colleague.pk, 1_500_000)


def test_the_desk_drafts_previews_and_publishes(
    building: tuple[Scene, dict[str, int]], signed_in: Any
) -> None:
    scene, _ = building
    desk = signed_in(scene.operator)
    typed = {
        "title": "Cleaning",
        "site": scene.site.pk,
        "first_day": "2026-11-06",
        "last_day": "2026-11-19",
        "source": "typed",
        "amount": "100",
        "evidence": "contract 3",
        "equal": "100",
        "prorata": "on",
        "vacant": "landlord",
        "objection_days": "7",
    }
    wrong = desk.post(f"/console/{scene.slug}/costs/draft/", {**typed, "equal": "90"})
    assert wrong.status_code == 422 and "must make 100" in text(wrong)
    page = desk.post(f"/console/{scene.slug}/costs/draft/", typed, follow=True)
    assert "Publish these shares" in text(page) and "¥25.000000" in text(page)
    number = page.redirect_chain[-1][0].rstrip("/").rsplit("/", 1)[-1]
    asked = f"/console/{scene.slug}/costs/{number}/publish/"
    said = text(desk.post(asked, {"digest": "sha256:of another preview"}, follow=True))
    assert "The figures have changed since you looked at them" in said and "Publish these shares" in said
    seen = re.search(r'name="digest" value="([^"]+)"', page.content.decode())
    assert seen is not None
    page = desk.post(asked, {"digest": seen[1]}, follow=True)
    assert "4 shares add up to ¥100.00, the total" in text(page)


def test_the_desk_writes_a_fee_down_and_sees_what_it_will_charge(
    building: tuple[Scene, dict[str, int]], signed_in: Any
) -> None:
    scene, _ = building
    desk = signed_in(scene.operator)
    typed = {
        "name": "Parking",
        "category": "parking",
        "amount": "150",
        "basis": "unit",
        "tax": "6",
        "every": "month",
        "day": "1",
        "month": "1",
        "priority": "60",
        "first_day": "2027-01-01",
    }
    page = text(desk.post(f"/console/{scene.slug}/fees/add/", typed, follow=True))
    assert "Next run on 2027-02-01" in page and "¥636.00" in page and "charged at once" not in page
    late = {**typed, "name": "Bicycles", "first_day": "2026-08-01"}
    said = text(desk.post(f"/console/{scene.slug}/fees/add/", late, follow=True))
    assert "3 runs that have fallen due since 2026-08-01 are charged at once" in said
    page = text(desk.get(f"/console/{scene.slug}/fees/"))
    assert "Parking" in page and "Still open" in page and "rent" in page


def test_the_desk_takes_a_charged_fee_back_and_says_why(house: Services, signed_in: Any) -> None:
    from fairwatt.store.models import CostEntry
    from fairwatt.web.access import Scope, seeing

    scene = Scene(floors=1, columns=3)
    scene.live()
    fee = write_fee(scene, name="Rent", basis="unit", amount_micro=9_000_000, end_day=date(2026, 11, 21))
    charge_everything(scene)
    with seeing(scope=Scope(books=(scene.book,))):
        entry = CostEntry.objects.filter(fee=fee, wallet=scene.wallets[0]).get()
    desk, page = signed_in(scene.operator), f"/console/{scene.slug}/fees/{fee}/"
    back = f"{page}charged/{entry.pk}/take-back/"
    assert "Take it back" in text(desk.get(page))
    assert "Say why the fee is taken back" in text(desk.post(back, {"reason": " "}, follow=True))
    assert "It is being taken back" in text(desk.post(back, {"reason": "Empty since May"}, follow=True))
    assert "being taken back" in text(desk.get(page)) and "taken back before" in text(
        desk.post(back, {"reason": "again"}, follow=True)
    )
    scene.post(now_us=NOW_US + 2 * DAY_US, obey=False)
    said = text(desk.get(page))
    assert f"{scene.operator.username}: Empty since May" in said and "being taken back" not in said
    with seeing(scope=Scope(books=(scene.book,))):
        assert sum(row.taken_micro for row in CostEntry.objects.filter(wallet=scene.wallets[0])) == 0
    assert "Take it back" not in text(signed_in(scene.auditor).get(page))


def test_a_charged_share_is_a_line_that_explains_itself(
    building: tuple[Scene, dict[str, int]], signed_in: Any
) -> None:
    from fairwatt.store.models import Line
    from fairwatt.web.access import Scope, seeing

    scene, _ = building
    with seeing(scope=Scope(books=(scene.book,))):
        line = Line.objects.filter(book=scene.book, kind=5).order_by("wallet").first()
    assert line is not None
    page = text(signed_in(scene.operator).get(f"/lines/{scene.book}-{line.wallet}-{line.seq}/"))
    assert "Garden lights" in page and "Worked out again" in page
