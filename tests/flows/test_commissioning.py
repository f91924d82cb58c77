"""A meter's checklist: every step by somebody, on evidence; nothing is signed that is not proven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from fairwatt.core.metering.checklist import Step
from fairwatt.core.metering.transformer import Transformer
from fairwatt.server.launcher.services import Services
from flows.test_pushes import person
from support.costs import flush
from support.desk import Desk, opened_desk
from support.house import as_role
from support.meters import SEEN, picture, record
from support.street import HOUR_US, NOON_US, TARIFF, Street

pytestmark = pytest.mark.usefixtures("house")
AT_US = NOON_US + HOUR_US


@pytest.fixture
def desk(house: Services) -> Iterator[Desk]:
    with opened_desk(Street(tariff=TARIFF)) as opened:
        opened.home(opening_wh=1_000)
        yield opened


def meter_id(desk: Desk, n: int = 0) -> int:
    from fairwatt.store.models import Meter

    return int(Meter.objects.get(number=desk.street.homes[n], gateway=desk.street.gateway).pk)


def step(desk: Desk, name: str, value: dict[str, Any] | None = None, **more: Any) -> int:
    user = more.pop("user", None) or person(desk)
    meter = more.pop("meter", None) or meter_id(desk)
    with as_role("web"):
        return record(
            desk.street.book,
            meter,
            name,
            SEEN[name] if value is None else value,
            user=user,
            now_us=AT_US,
            **more,
        )


def sign(desk: Desk, **more: Any) -> int:
    from fairwatt.flows.commission import sign_off

    user = more.pop("user", None) or person(desk)
    with as_role("web"):
        return sign_off(
            book_id=desk.street.book, meter_id=meter_id(desk), words="", user_id=user, now_us=AT_US, **more
        )


def site(desk: Desk) -> Any:
    from fairwatt.flows.commission import site_of
    from fairwatt.store.models import Book, Meter
    from fairwatt.web.access import Scope, seeing

    with as_role("web"):
        book = Book.objects.get(pk=desk.street.book)
        with seeing(scope=Scope(books=(book.pk,))):
            return site_of(book=book, meter=Meter.objects.get(pk=meter_id(desk)))


def all_steps(desk: Desk) -> None:
    for name in SEEN:
        step(desk, name)
    step(desk, "opening", {"register_wh": 1_000})


def test_a_checklist_is_signed_when_every_step_is_done_and_not_before(desk: Desk) -> None:
    from fairwatt.flows.commission import NotReady

    for name in SEEN:
        step(desk, name)
    with pytest.raises(NotReady, match="1 steps are not done: opening"):
        sign(desk)
    row = step(desk, "opening", {"register_wh": 1_000})
    assert step(desk, "opening", {"register_wh": 1_000}) == row, "twice is once, photo and all"
    signed = sign(desk)
    assert sign(desk) == signed
    assert site(desk).checklist.complete
    deeds = [event.reason for event in desk.events("desk.commission_step")]
    assert sorted(deeds) == sorted([*SEEN, "opening"])
    [deed] = desk.events("desk.meter_signed_off")
    assert deed.evidence["author"] == person(desk) and deed.wallet == desk.street.wallets[0]


def test_what_changes_after_the_signature_makes_it_void(desk: Desk) -> None:
    all_steps(desk)
    sign(desk)
    step(desk, "seal", {"seal": "S-78"}, words="the old one was cut")
    found = site(desk).checklist
    assert not found.complete and found.of(Step.SIGNED).state == "stale" and not found.missing
    sign(desk)
    assert site(desk).checklist.complete
    step(desk, "pulse", {"withdrawn": True})
    assert site(desk).checklist.missing == ("pulse",)


def test_the_typed_register_is_held_against_the_meters_own(desk: Desk) -> None:
    meter = desk.street.homes[0]
    step(desk, "opening", {"register_wh": 1_000})
    assert site(desk).checklist.of(Step.OPENING).record.value == {"register_wh": 1_000, "reported_wh": None}
    desk.read(meter, AT_US - HOUR_US // 2, 5_000)
    flush(desk, AT_US)
    step(desk, "opening", {"register_wh": 5_120})
    right = site(desk).checklist.of(Step.OPENING)
    assert (right.state, right.record.value["difference_wh"]) == ("done", 120)
    step(desk, "opening", {"register_wh": 51_200})
    wrong = site(desk).checklist.of(Step.OPENING)
    assert (wrong.state, wrong.record.value["difference_wh"]) == ("failed", 46_200), (
        "another meter's, or a slip"
    )
    step(desk, "opening", {"register_wh": 4_000})
    assert site(desk).checklist.of(Step.OPENING).state == "failed", "a register does not go back"


def test_a_ratio_that_is_not_charged_by_is_told_and_a_test_of_another_meter_proves_nothing(
    desk: Desk,
) -> None:
    step(desk, "ratio", {"primary": 100, "secondary": 5})
    found = site(desk).checklist.of(Step.RATIO)
    assert (found.state, found.record.value["charged"]) == ("failed", "1:1")
    step(desk, "pulse", {"watts": 2_000, "verdict": "proven", "meter": 7})
    assert site(desk).checklist.of(Step.PULSE).state == "failed"


def test_other_transformers_make_the_old_word_about_them_stale() -> None:
    from fairwatt.core.metering.checklist import Record, State, checklist_of

    said = Record(
        id=1,
        step=Step.RATIO,
        state="done",
        value={"primary": 100, "secondary": 5},
        words="",
        photo=None,
        author=1,
        at_us=1,
    )
    for ratio, state in (
        (Transformer(100, 5), State.DONE),
        (Transformer(200, 5), State.STALE),
        (None, State.DONE),
    ):
        assert checklist_of(records=[said], transformer=ratio).of(Step.RATIO).state is state


def test_strangers_auditors_and_other_companies_write_nothing(desk: Desk) -> None:
    from django.db import DatabaseError, connection, transaction

    from fairwatt.flows.desk import NotAllowed, NotFound

    with pytest.raises(NotAllowed):
        step(desk, "seal", user=person(desk, role="auditor"))
    with opened_desk(Street(tariff=TARIFF)) as other:
        other.home()
        with pytest.raises(NotFound):
            step(desk, "seal", meter=meter_id(other))
        theirs = meter_id(other)
    row, clerk = step(desk, "seal"), person(desk)
    with as_role("web"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('fairwatt.books', %s, true)", [str(desk.street.book)])
        cursor.execute("SELECT set_config('fairwatt.wallets', '*', true)")
        for statement in (
            "UPDATE commission_step SET words = 'x' WHERE id = %s",
            "DELETE FROM commission_step WHERE id = %s",
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                cursor.execute(statement, [row])
        with pytest.raises(DatabaseError, match="another book"), transaction.atomic():
            cursor.execute(
                "INSERT INTO commission_step (book, meter, unit, step, state, value, author, at_us) "
                "VALUES (%s, %s, 1, 'seal', 'done', '{}', %s, 1)",
                [desk.street.book, theirs, clerk],
            )


def test_an_opening_reading_needs_its_photo_and_a_register_that_can_be(desk: Desk) -> None:
    from fairwatt.flows.commission import BadStep

    with pytest.raises(BadStep, match="photo"):
        step(desk, "opening", {"register_wh": 1_000}, photo=None)
    with pytest.raises(BadStep, match="cannot show"):
        step(desk, "opening", {"register_wh": 10**9})
    for value in ({"register_wh": 1.5}, {"register_wh": "1"}, {}):
        with pytest.raises(BadStep):
            step(desk, "opening", value)


def gps() -> Any:
    exif = Image.Exif()
    exif[0x010F] = "Camera of somebody"
    exif[0x0112] = 6  # lies on its side
    exif.get_ifd(0x8825).update({1: "N", 2: (31.0, 14.0, 0.0), 3: "E", 4: (121.0, 28.0, 0.0)})
    return exif


def test_of_a_picture_only_the_pixels_are_kept(desk: Desk) -> None:
    import io

    from fairwatt.flows.photos import take_photo

    bait = b"<script>alert(1)</script>PK\x03\x04 another file"
    sent = picture(exif=gps(), comment=bait) + bait
    assert b"Camera of somebody" in sent
    made = take_photo(sent)
    assert not any(part in made.content for part in (b"Camera", b"script", b"PK\x03\x04", b"Exif"))
    with Image.open(io.BytesIO(made.content)) as kept:
        assert (kept.format, dict(kept.getexif()), kept.size) == ("JPEG", {}, (480, 640)), (
            "and it stands upright"
        )
    assert take_photo(sent).sha256 == made.sha256
    large = take_photo(picture("PNG", size=(5_000, 3_000)))
    assert (large.width, large.height) == (2048, 1229) and len(large.content) < 2_000_000
    assert take_photo(picture("WEBP")).width == 640


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "between 1 byte and 12 MB"),
        (b"x" * (12 * 1024 * 1024 + 1), "between 1 byte and 12 MB"),
        (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 40, "HEIC"),
        (b"%PDF-1.7 not a picture", "no JPEG, PNG or WebP"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "no JPEG, PNG or WebP"),
        (picture()[:300], "damaged"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(sent: bytes, why: str) -> None:
    from fairwatt.flows.photos import BadPhoto, take_photo

    with pytest.raises(BadPhoto, match=why):
        take_photo(sent)


def test_a_picture_that_swells_when_it_is_read_is_not_read() -> None:
    import io

    from fairwatt.flows.photos import BadPhoto, take_photo

    made = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(made, "PNG", optimize=True)
    assert len(made.getvalue()) < 50_000
    with pytest.raises(BadPhoto):
        take_photo(made.getvalue())


def listed(line: int, room: str, number: int, **more: Any) -> Any:
    from fairwatt.flows.enter_meters import ListedMeter

    about = {"address": str(number), "profile": "dlt645_three_phase", **more}
    return ListedMeter(line=line, room=room, number=number, **about)


def enter(desk: Desk, *rows: Any, apply: bool = True) -> Any:
    from fairwatt.flows.enter_meters import enter_meters

    user = person(desk)
    with as_role("migrate"):
        return enter_meters(
            book_id=desk.street.book,
            gateway=desk.street.gateway.slug,
            rows=rows,
            apply=apply,
            user_id=user,
            now_us=AT_US,
        )


def empty_room(desk: Desk, label: str) -> None:
    from fairwatt.store.models import Unit

    with as_role("migrate"):
        Unit.objects.create(site=desk.street.site, label=label, floor=9, position=int(label[-1]))


def test_a_list_is_held_against_the_books_and_entered_once(desk: Desk) -> None:
    from fairwatt.store.models import Meter

    for label in ("0901", "0902", "0903"):
        empty_room(desk, label)
    home = desk.street.homes[0]
    rows = [
        listed(3, "0901", 900_001, feeder="riser 9", feeds_gateway=True),
        listed(4, "0902", 900_002, transformer=Transformer(100, 5)),
    ]
    dry = enter(desk, *rows, apply=False)
    assert [one.state for one in dry.findings] == ["new", "new"] and not dry.applied
    assert (dry.not_listed, dry.without_meter) == ((home,), ("0903",))
    assert not Meter.objects.filter(number=900_001, gateway=desk.street.gateway).exists(), (
        "a dry run changes nothing"
    )
    assert enter(desk, *rows).applied
    made = Meter.objects.get(number=900_001, gateway=desk.street.gateway)
    assert (made.feeder, made.feeds_gateway, made.modulus_wh) == ("riser 9", True, 10**9)
    again = enter(desk, *rows)
    assert [one.state for one in again.findings] == ["entered", "entered"]
    assert len(desk.events("desk.meters_entered")) == 1


def test_each_wrong_line_is_named_and_one_of_them_enters_nothing(desk: Desk) -> None:
    from fairwatt.flows.enter_meters import ListRefused
    from fairwatt.store.models import Meter

    empty_room(desk, "0901")
    with as_role("migrate"):
        Meter.objects.filter(number=desk.street.homes[0], gateway=desk.street.gateway).update(
            profile="dlt645_three_phase"
        )
    home = desk.street.homes[0]
    rows = [
        listed(2, "0901", 900_001),
        listed(3, "9999", 900_002),
        listed(4, "0901", home),
        listed(5, "0001", home, transformer=Transformer(100, 5)),
        listed(6, "0001", home, profile="dlt645_single_phase"),
        listed(7, "0901", 900_003, profile="nonsense"),
        listed(8, "0001", home),
    ]
    found = enter(desk, *rows, apply=False)
    assert [one.line for one in found.faults] == [3, 4, 5, 6, 7]
    said = [one.text for one in found.faults]
    for text, word in zip(
        said, ["no unit 9999", "is charged to 0001", "of 1:1", "as a dlt645", "no meter profile"], strict=True
    ):
        assert word in text
    with pytest.raises(ListRefused, match="line 3"):
        enter(desk, *rows)
    assert not Meter.objects.filter(number=900_001, gateway=desk.street.gateway).exists()


def test_an_entered_meter_is_walked_before_its_home_is_open(desk: Desk) -> None:
    from fairwatt.store.models import Meter

    empty_room(desk, "0901")
    enter(desk, listed(2, "0901", 900_001))
    meter = Meter.objects.get(number=900_001, gateway=desk.street.gateway).pk
    step(desk, "scanned", meter=meter)
    step(desk, "opening", {"register_wh": 10}, meter=meter)
    from fairwatt.store.models import Book
    from fairwatt.web.access import Scope, seeing
    from fairwatt.web.metering import overview

    with as_role("web"), seeing(scope=Scope(books=(desk.street.book,))):
        [building] = overview(book=Book.objects.get(pk=desk.street.book))
    [home] = [one for one in building.homes if one.unit.label == "0901"]
    assert [str(one) for one in home.meters[0].checklist.missing] == ["ratio", "pulse", "certificate", "seal"]


def test_the_feed_of_the_gateway_is_written_down_by_name_and_reaches_the_grant(desk: Desk) -> None:
    from fairwatt.flows.enter_meters import wire_meter

    meter, user = desk.street.homes[0], person(desk)
    about = {"book_id": desk.street.book, "number": str(meter), "user_id": user, "now_us": AT_US}
    for _ in range(2):
        with as_role("migrate"):
            wire_meter(**about, feeder="riser 1", feeds_gateway=True)
    [deed] = desk.events("desk.meter_wired")
    assert deed.evidence["before"] == {"feeder": "", "feeds_gateway": False}
    desk.open(now_us=AT_US)
    assert desk.state.registers["feeds_gateway"].tolist() == [True]
    desk.read(meter, AT_US, 2_000)
    assert desk.command(desk.orders()[-1]).body.grant.feeds_gateway
