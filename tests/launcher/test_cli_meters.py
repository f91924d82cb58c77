"""`fairwatt push` and `fairwatt telemetry show` as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from fairwatt.server.launcher.services import Services
from support.house import as_role
from support.street import NOON_US, Street


def fairwatt(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fairwatt.cli", *words], env=dict(os.environ), capture_output=True, text=True
    )


def test_a_wish_is_written_paused_and_told_and_a_look_at_seconds_leaves_a_row(house: Services) -> None:
    from fairwatt.store.models import Event, User

    street = Street()
    meters = [street.open_home() for _ in range(3)]
    with as_role("migrate"):
        organisation = street.site.book.organisation
        User.objects.create_user(f"desk-{street.book}", None, "x", organisation=organisation, role="operator")
    me = ("--book", str(street.book), "--user", f"desk-{street.book}")
    said = fairwatt("push", "start", "limit_power", '{"limit_w": 3000}', *me, "--why", "thin cable", "--json")
    assert said.returncode == 0, said.stderr
    started = json.loads(said.stdout)
    assert (started["state"], started["progress"]) == ("running", {"waiting": 3})
    number = str(started["push"])
    assert json.loads(fairwatt("push", "pause", number, *me, "--json").stdout)["state"] == "paused"
    told = fairwatt("push", "status", number, "--book", str(street.book), "--json")
    assert json.loads(told.stdout)["steps"] == ["pause"]
    assert fairwatt("push", "held", "--book", str(street.book)).returncode == 0
    for wrong, code in (('{"limit_w": -4}', 1), ("no json", 2)):
        refused = fairwatt("push", "start", "limit_power", wrong, *me, "--why", "x")
        assert (refused.returncode, "Nothing was ordered" in refused.stderr) == (code, True)
    span = ("--from", "2026-11-22T05:00", "--to", "2026-11-22T05:10")
    shown = fairwatt("telemetry", "show", str(meters[0]), *me, *span, "--json")
    assert shown.returncode == 0, shown.stderr
    assert (json.loads(shown.stdout)["asked"], json.loads(shown.stdout)["known"]) == (600, 0)
    with as_role("poster"):
        (look,) = Event.objects.filter(book=street.book, kind="desk.seconds_viewed")
    assert (look.wallet, look.evidence["how"]) == (street.wallets[0], "command line")
    assert look.at_us > NOON_US
