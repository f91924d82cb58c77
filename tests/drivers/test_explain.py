"""`fairwatt meter decode`: every byte of a recording is told, in words and exact figures, whatever it is."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from fairwatt.cli.meter import PROTOCOLS, app
from fairwatt.drivers.explaining import decimal_text
from fairwatt.drivers.modbus.frame import rtu_frame
from fairwatt.drivers.profile import load_profile
from fairwatt.server.errors import BadInput
from fairwatt.simulate.meters.mqttmeter import SimMqttMeter

EXAMPLE = Path(__file__).parents[1] / "data" / "chirpstack_uplink_example.json"
STANDARD_MBUS = "681F1F680802727856341224400107550000000313153100DA023B13018B60043718021816"
MODBUS = "010400480002F1DD" + rtu_frame(unit=1, pdu=bytes.fromhex("0404414570A4")).hex()
BYTES = ("modbus", "mbus", "cjt188", "chirpstack", "mqtt-meter")


def decode(protocol: str, recording: str) -> tuple[int, list[dict[str, Any]]]:
    told = CliRunner().invoke(app, ["decode", "--protocol", protocol, recording, "--json"])
    return told.exit_code, json.loads(told.stdout)


def fields(piece: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["value"] for one in piece["fields"]}


def test_a_modbus_question_and_its_answer_are_told_with_the_exact_float() -> None:
    code, (question, answer) = decode("modbus", MODBUS)
    assert code == 0
    assert (question["title"], fields(question)) == (
        "question: read input registers",
        {"from": 72, "count": 2},
    )
    assert answer["title"] == "answer: input registers"
    assert fields(answer)["as float32"] == "12.340000152587890625"


def test_modbus_over_tcp_refusals_and_orders_are_told() -> None:
    _, pieces = decode("modbus", "0001 0000 0006 0C 05 0000 FF00 0001 0000 0003 0C 85 02")
    assert [piece["framing"] for piece in pieces] == ["tcp", "tcp"]
    assert "no such register" in fields(pieces[1])["reason"]


def test_the_example_telegram_of_the_standard_is_told_record_by_record() -> None:
    code, (telegram,) = decode("mbus", STANDARD_MBUS)
    assert code == 0
    told = fields(telegram)
    assert (told["number"], told["maker"], told["medium"]) == ("12345678", "PAD", "water")
    assert (told["volume"], told["maximum flow"], told["energy"]) == (12_565, 113, 218_370)


def test_a_conversation_on_mbus_is_told() -> None:
    recording = "10 40 05 45 16 E5 10 7B 05 80 16 68 0B 0B 68 53 FD 52 78 56 34 12 FF FF FF FF B2 16"
    _, pieces = decode("mbus", recording)
    titles = [piece["title"] for piece in pieces]
    assert titles == ["question: start over", "acknowledgement", "question: read data", "question: select"]


def test_a_water_meters_answer_is_told_in_the_standards_layout() -> None:
    body = bytes.fromhex("68104433221100337881161F9001007766552C007766552C310122110515200500")
    recording = "FEFEFE" + (body + bytes([sum(body) & 0xFF, 0x16])).hex()
    code, (wake, answer) = decode("cjt188", recording)
    assert (code, wake["kind"]) == (0, "wake")
    told = fields(answer)
    assert (told["total"], told["clock"]) == ("556677.00", "2015-05-11 22:01:31")
    assert "valve shut, battery low" in answer["fields"][-1]["note"]


def test_the_example_of_the_network_server_is_told() -> None:
    code, (uplink,) = decode("chirpstack", str(EXAMPLE))
    assert (code, uplink["address"]) == (0, "0101010101010101")
    assert fields(uplink)["object.volume"] == "12.565"


@pytest.mark.parametrize("key", ["mqtt_gas", "mqtt_electricity"])
def test_both_forms_of_an_mqtt_meter_are_told(key: str) -> None:
    message = SimMqttMeter(profile=load_profile(key=key), meter="G-1", register=7).wake(now_us=0)
    recording = message.decode() if key == "mqtt_gas" else message.hex()
    code, (told,) = decode("mqtt-meter", recording)
    assert (code, fields(told)["register"]) == (0, 7)


@pytest.mark.parametrize(
    ("protocol", "recording"),
    [
        ("modbus", MODBUS[:-2] + "00"),
        ("mbus", STANDARD_MBUS[:-4] + "0016"),
        ("cjt188", "681044332211003378010 31F90008116".replace(" ", "")),
        ("chirpstack", '{"deviceInfo": {}}'),
        ("mqtt-meter", '{"v":1}'),
    ],
)
def test_what_is_damaged_is_said_to_be_and_the_exit_code_is_1(protocol: str, recording: str) -> None:
    code, pieces = decode(protocol, recording)
    assert code == 1
    assert any("why" in piece for piece in pieces)


PAGES = Path(__file__).parents[2] / "docs" / "protocol"


def examples(page: str, protocol: str) -> list[str]:
    text = "".join(re.findall(rf"^```{protocol}\n(.*?)^```", (PAGES / page).read_text(), re.M | re.S))
    return [line.partition("  #")[0].strip() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("page", "protocol", "count"),
    [
        ("modbus.md", "modbus", 8),
        ("mbus.md", "mbus", 8),
        ("cjt188.md", "cjt188", 8),
        ("lorawan.md", "chirpstack", 1),
        ("mqtt-meter.md", "mqtt-meter", 4),
    ],
)
def test_every_example_on_the_pages_is_whole(page: str, protocol: str, count: int) -> None:
    lines = examples(page, protocol)
    assert len(lines) == count
    for line in lines:
        code, pieces = decode(protocol, line)
        assert (code, [piece["kind"] for piece in pieces if piece["kind"] != "wake"]) == (0, ["frame"]), line


def test_numbers_are_told_exactly_where_they_end() -> None:
    assert [decimal_text(Fraction(*one)) for one in [(1, 8), (-5, 2), (3, 1), (1, 3)]] == [
        "0.125",
        "-2.5",
        3,
        "0.333333333..",
    ]


@settings(max_examples=300)
@given(st.sampled_from(BYTES), st.binary(max_size=90), st.sampled_from([MODBUS, STANDARD_MBUS, ""]))
def test_every_byte_of_any_recording_is_told_once(protocol: str, noise: bytes, frame: str) -> None:
    data = noise + bytes.fromhex(frame) + noise[:7]
    pieces = PROTOCOLS[protocol].decode(data)
    json.dumps(pieces)
    if not PROTOCOLS[protocol].is_text:
        assert "".join(piece["hex"] for piece in pieces) == data.hex().upper()


def test_a_file_that_is_not_there_is_no_message() -> None:
    done = CliRunner().invoke(app, ["decode", "--protocol", "chirpstack", "event.json"])
    assert isinstance(done.exception, BadInput)
    assert "There is no file event.json" in str(done.exception)
