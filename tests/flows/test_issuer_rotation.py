"""Another key for orders: no gateway is left behind, nothing is signed by a key that somebody does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fairwatt.server import issuer_files as files
from fairwatt.server.errors import OperatorError
from fairwatt.server.keys import ISSUER, ensure_keys, load_private_key, load_public_key
from flows.test_pushes import advance, person, say
from support.desk import Desk
from support.house import as_role


class Office:
    """Who rotates: the folder of keys, and the posters' book."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        from fairwatt.server.issuer_rotation import Rotation
        from fairwatt.store.models import User

        ensure_keys(folder)
        self.desk, self.folder = desk, folder
        self.rotation = Rotation(folder, books=(desk.street.book,))
        with as_role("migrate"):
            self.user = User.objects.get(pk=person(desk, "admin")).username

    def step(self, *, force: bool = False) -> dict[str, Any]:
        with as_role("web"):
            return self.rotation.step(user=self.user, words="yearly", force=force)

    def gateway_obeys(self, *kids: str) -> None:
        """The gateway takes what waits for it, and reports whom it obeys then."""
        for command in advance(self.desk):
            say(self.desk, command, kids=",".join(sorted(kids)))
        advance(self.desk)


@pytest.fixture
def office(desk: Desk, tmp_path: Path) -> Office:
    desk.home()
    return Office(desk, tmp_path / "keys")


def test_a_key_is_offered_promoted_and_the_old_one_withdrawn_and_deleted(office: Office) -> None:
    old = files.kid_of(office.folder, name=ISSUER)
    found = office.step()
    new = files.kid_of(office.folder, name=files.NEXT)
    assert (found["step"], found["signs"], len(found["pushes"])) == ("offer", old, 1)
    assert office.step()["pushes"] == [], "offered once"
    assert files.kid_of(office.folder, name=ISSUER) == old, "one gateway does not obey the new key yet"
    office.gateway_obeys(old, new)
    found = office.step()
    assert (found["step"], found["signs"]) == ("restart", new)
    assert (
        load_public_key(office.folder, name=ISSUER)
        == load_private_key(office.folder, name=ISSUER).public_key()
    )
    assert office.step()["step"] == "restart", "a head-end that runs still signs with the old key"
    office.desk.open(now_us=office.desk.street.opened_us)
    found = office.step()
    assert (found["step"], len(found["pushes"])) == ("withdraw", 1)
    assert files.has(office.folder, files.OLD), "it is kept until nobody obeys it"
    office.gateway_obeys(new)
    assert office.step()["step"] == "complete"
    assert not files.has(office.folder, files.OLD)
    assert not files.has(office.folder, files.NEXT)
    with as_role("web"):
        assert office.rotation.found()["signs"] == new


def test_no_gateway_is_left_behind_unless_somebody_says_so(office: Office) -> None:
    office.step()
    found = office.step()
    assert [one["gateway"] for one in found["behind"]] == [office.desk.street.gateway.slug]
    found = office.step(force=True)
    assert found["step"] == "restart"
    assert [one["gateway"] for one in found["left_behind"]] == [office.desk.street.gateway.slug]


@pytest.mark.parametrize("done", ["noted", "copied", "renamed"])
def test_a_promotion_that_was_interrupted_is_finished(office: Office, done: str) -> None:
    office.step()
    folder, keys = office.folder, {}
    for name in (ISSUER, files.NEXT):
        keys[name] = files.kid_of(folder, name=name)
    office.gateway_obeys(*keys.values())
    # What is on the disk when the power fails between two names.
    (folder / "issuer_promoted.json").write_text(f'{{"{office.desk.street.book}": 1000}}')
    if done != "noted":
        (folder / f"{files.OLD}.pem").write_bytes((folder / f"{ISSUER}.pem").read_bytes())
    if done == "renamed":
        (folder / f"{files.NEXT}.pem").rename(folder / f"{ISSUER}.pem")
    assert office.step()["step"] == "restart"
    assert files.kid_of(folder, name=ISSUER) == keys[files.NEXT]
    assert files.kid_of(folder, name=files.OLD) == keys[ISSUER]
    assert load_public_key(folder, name=ISSUER) == load_private_key(folder, name=ISSUER).public_key()
    assert not files.has(folder, files.NEXT)


def test_a_stranger_changes_nothing(office: Office) -> None:
    office.user = "nobody"
    with pytest.raises(OperatorError, match="No key was changed"):
        office.step()
    assert not files.has(office.folder, files.NEXT)
