"""Commissioning by command line: lists, steps with their evidence, a signature, what alarms are set to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fairwatt.server.launcher.services import Services
from flows.test_commissioning import empty_room
from flows.test_pushes import person
from support.commands import fairwatt
from support.desk import opened_desk
from support.meters import picture
from support.street import TARIFF, Street

pytestmark = pytest.mark.usefixtures("house")


def test_a_home_is_commissioned_by_command_line(house: Services, tmp_path: Path) -> None:
    with opened_desk(Street(tariff=TARIFF)) as desk:
        meter = str(desk.home(opening_wh=1_234_560))
        empty_room(desk, "0901")
        book = str(desk.street.book)
        people = {person(desk, "operator"): f"operator-a-{book}", person(desk, "admin"): f"admin-a-{book}"}
        lin, admin = people.values()

        def run(*words: str, user: str = "", code: int = 0) -> str:
            about = ["--book", book, *(["--user", user] if user else [])]
            said = fairwatt("commission", *words, *about)
            assert said.code == code, said
            return said.out + said.err

        rooms = tmp_path / "rooms.csv"
        rooms.write_text(
            "room,bus,address,profile,ct_primary,ct_secondary,feeder\n"
            "0901,riser,900001,dlt645_three_phase,100,5,riser 9\n0999,riser,900002,,,,\n"
        )
        gateway = ["--gateway", desk.street.gateway.slug]
        assert "no unit 0999" in run("meters", str(rooms), *gateway, user=lin, code=1)
        rooms.write_text(rooms.read_text().splitlines()[0] + "\n" + rooms.read_text().splitlines()[1] + "\n")
        assert "1 new" in run("meters", str(rooms), *gateway, user=lin)
        told = json.loads(run("meters", str(rooms), *gateway, "--apply", "--json", user=lin))
        assert told["applied"] and told["not_listed"] == [int(meter)]
        assert "feeds its gateway" in run("wire", meter, "--feeder", "riser 1", "--feeds-gateway", user=lin)

        pulse, scan, photo = tmp_path / "pulse.json", tmp_path / "scan.json", tmp_path / "meter.jpg"
        pulse.write_text(json.dumps({"verdict": "proven", "meter": int(meter), "confidence_per_mille": 998}))
        row = {"address": meter, "state": "configured", "meter": int(meter), "register": 1, "trouble": ""}
        scan.write_text(json.dumps({"buses": [{"bus": "riser", "meters": [row]}]}))
        photo.write_bytes(picture())
        run("step", meter, "scanned", "--from", str(scan), user=lin)
        run("step", meter, "mapped", user=lin)
        run("step", meter, "ratio", "--ratio", "1:1", user=lin)
        run("step", meter, "pulse", "--from", str(pulse), "--watts", "2000", user=lin)
        run("step", meter, "opening", "--register", "1234.56", "--photo", str(photo), user=lin)
        run("step", meter, "certificate", "--value", '{"number": "C-1"}', user=lin)
        assert "1 steps are not done: seal" in run("sign", meter, user=lin, code=1)
        run("step", meter, "seal", "--value", '{"seal": "S-1"}', "--words", "new lead", user=lin)
        run("sign", meter, user=lin)
        shown = json.loads(run("show", meter, "--json"))
        assert shown["complete"] and shown["steps"][4]["value"]["register_wh"] == 1_234_560
        status = json.loads(run("status", "--json", code=1))
        assert (status["buildings"][0]["done"], status["buildings"][0]["homes"]) == (1, 2)

        rules = '{"overload": {"limit_w": 6600}}'
        assert "administrator" in run(
            "alarms", "set", rules, "--meter", meter, "--why", "x", user=lin, code=1
        )
        assert "for 1 meters" in run("alarms", "set", rules, "--meter", meter, "--why", "fuses", user=admin)
        watched = json.loads(run("alarms", "show", "--meter", meter, "--json"))
        assert watched["rules"]["overload"]["limit_w"] == 6_600 and watched["feeds_gateway"]
