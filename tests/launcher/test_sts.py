"""`fairwatt sts` as a person or a script meets it, and where its keys may come from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from fairwatt.cli import main as command_line
from fairwatt.core.tokens.identity import KeyName, MeterPan
from fairwatt.server.errors import BadInput
from fairwatt.server.vending_keys import KEYS_VARIABLE, KeysClosed, load_vault

DATA = Path(__file__).parents[1] / "data"
KEY = "abababababababab949494949494949401234567"
DERIVED = "929bd3a415c9420a05ec5ee9f3ce91c3"
METER = ("--meter", "600727000000000009", "--sgc", "201457")
WATER = "51132789436787861315"
ENTRIES = [
    {"sgc": "201457", "krn": 1, "key": KEY},
    {"sgc": "203557", "krn": 2, "base_date": "35", "key": KEY},
    {"sgc": "201457", "krn": 3, "ken": 50, "key": KEY},
    {"sgc": "123456", "krn": 1, "dkga": "02", "base_date": "93", "key": KEY[:16]},
]


class Shell:
    """Runs command lines in this process, with vending keys in the environment."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        self._patch, self._capfd = monkeypatch, capfd
        monkeypatch.setenv(KEYS_VARIABLE, json.dumps({"keys": ENTRIES}))
        monkeypatch.setenv("FAIRWATT_STATE", str(tmp_path))

    def run(self, *words: str) -> tuple[int, str, str]:
        self._patch.setattr(sys, "argv", ["fairwatt", "sts", *words])
        with pytest.raises(SystemExit) as end:
            command_line.main()
        out, err = self._capfd.readouterr()
        return int(end.value.code or 0), out, err

    def json(self, *words: str, code: int = 0) -> Any:
        ended, out, err = self.run(*words, "--json")
        assert ended == code, err
        return json.loads(out)

    def refused(self, *words: str) -> tuple[int, str]:
        code, out, err = self.run(*words)
        assert out == "" and "Traceback" not in err
        return code, err


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Shell:
    return Shell(monkeypatch, capfd, tmp_path)


def test_the_vectors_pass_and_a_broken_one_ends_with_one(shell: Shell, tmp_path: Path) -> None:
    tables = ("--tables", str(DATA / "sts_sample_tables.json"))
    told = shell.json("conform", str(DATA / "sts_vectors.json"), *tables)
    assert (told["vectors"], told["encoded_ok"], told["decoded_ok"], told["failed"]) == (131, 131, 131, [])
    assert told["figures_ok"] == told["figures"] == 24 and told["figures_not_checked"] == []
    broken = json.loads((DATA / "sts_vectors.json").read_text())
    broken["vectors"][11]["amount_tenths"] = 2
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(broken))
    told = shell.json("conform", str(file), code=1)
    assert (told["encoded_ok"], told["decoded_ok"]) == (130, 130)
    assert [(one["entry"], one["direction"]) for one in told["failed"]] == [(12, "encode"), (12, "decode")]
    assert (told["failed"][1]["expected"], told["failed"][1]["got"]) == ("2", "1")


@pytest.mark.parametrize(
    "holder", [("--key", DERIVED), METER, ("--card", "600727000000000009===0211201457011")]
)
def test_a_code_is_read_by_key_by_meter_or_by_card(shell: Shell, holder: tuple[str, ...]) -> None:
    told = shell.json("decode", "5113 2789-4367 8786 1315", *holder)
    assert (told["name"], told["tid"], told["amount_tenths"]) == ("TransferCredit water", 85745, 1)
    assert told["said"] == "0.1 m³ of water were added."


def test_a_code_is_made_in_its_minute_and_never_twice_in_one(shell: Shell) -> None:
    water = ("encode", "water", "--amount", "0.1", "--rnd", "5", "--at", "2014-03-01T13:05:30+00:00")
    assert shell.json(*water, *METER)["token"] == WATER
    again = shell.json(*water, *METER, "--taken", "85745")
    assert (again["tid"], again["token"] != WATER) == (85746, True)
    assert shell.json(*water[:6], "--tid", "85745", "--key", DERIVED)["token"] == WATER


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (("electricity", "--amount", "2000"), {"amount_field": "416a", "amount_tenths": 20_004}),
        (("gas-money", "--amount", "-1.00"), {"sign": 1, "amount_1e5": -99_994}),
        (("power-limit", "--value", "1000"), {"watts": 1_000, "value_field": "03e8"}),
        (("clear-credit", "--value", "all"), {"register": 65_535}),
        (("clear-tamper",), {"value_field": "0000"}),
        (("extended", "--value", "1"), {"index": 63, "value": 1, "value_field": "fc01"}),
        (("tariff-rate", "--value", "7"), {"rate": 7}),
        (("water-factor", "--value", "9"), {"factor": 9}),
        (("unbalance-limit", "--value", "5"), {"watts": 5}),
        (("wide-test", "--control", "8", "--maker", "11"), {"control": "0000008", "mfr": "000b"}),
        (("extended-read", "--control", "fc0000000"), {"block": "2fc0000000000c4e"}),
    ],
)
def test_every_kind_is_made_and_read_again(
    shell: Shell, kind: tuple[str, ...], fields: dict[str, object]
) -> None:
    made = shell.json("encode", *kind, *METER)
    assert {**made, **fields} == made
    assert shell.json("decode", made["token"], *METER) == made


def test_a_key_change_is_a_set_and_its_content_is_not_shown(shell: Shell) -> None:
    told = shell.json("keychange", *METER, "--to-ti", "2")
    assert told["codes"] == 4 and told["tokens"][0] == "03854447086453451911"
    code, err = shell.refused("decode", told["tokens"][0], *METER)
    assert code == 1 and "key_kept" in err
    moved = shell.json(
        "keychange", *METER, "--to-sgc", "203557", "--to-krn", "2", "--at", "2036-01-01T00:00+00:00"
    )
    opened = shell.json("decode", moved["tokens"][0], "--key", DERIVED)
    assert (opened["ro"], opened["new_krn"]) == (1, 2)


def test_what_is_refused_ends_with_one_and_what_is_no_input_with_two(shell: Shell) -> None:
    for code, word, words in (
        (1, "wrong_key", ("decode", WATER[:-1] + "6", *METER)),
        (1, "tables_missing", ("encode", "water", "--amount", "1", *METER, "--ea", "7")),
        (1, "key_ended", ("encode", "water", "--amount", "1", *METER, "--krn", "3")),
        (1, "unknown_group", ("decode", WATER, "--meter", METER[1], "--sgc", "000001")),
        (2, "not_digits", ("decode", "5113", *METER)),
        (2, "no_code", ("decode", "9" * 20, *METER)),
        (2, "meter_number_wrong", ("decode", WATER, "--meter", "12345678904", "--sgc", "201457")),
        (2, "group_wrong", ("decode", WATER, "--meter", METER[1], "--sgc", "2014")),
        (2, "amount_too_large", ("encode", "water", "--amount", "99999999", *METER)),
        (2, "at most 1 decimals", ("encode", "water", "--amount", "0.15", *METER)),
        (2, "at most 5 decimals", ("encode", "water-money", "--amount", "1e999999999", *METER)),
        (2, "whole number", ("encode", "tariff-rate", "--value", "9" * 5_000, *METER)),
        (2, "out_of_range", ("encode", "tariff-rate", "--value", "65536", *METER)),
        (2, "out_of_range", ("encode", "test", "--control", "f" * 5_000)),
        (2, "no kind", ("encode", "steam", "--amount", "1", *METER)),
        (2, "whole number", ("encode", "power-limit", *METER)),
        (2, "no instant", ("encode", "water", "--amount", "1", "--at", "noon", *METER)),
        (2, "hexadecimal", ("decode", WATER, "--key", "nonsense")),
        (2, "Which key", ("decode", WATER)),
        (2, "16 bytes", ("decode", WATER, "--key", "aabb")),
    ):
        ended, err = shell.refused(*words)
        assert (ended, word in err) == (code, True), err


# --- keys -------------------------------------------------------------------------------------------------------


def test_a_file_of_keys_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": ENTRIES}))
    for mode in (0o644, 0o640, 0o604, 0o602):
        file.chmod(mode)
        with pytest.raises(KeysClosed, match="chmod 600"):
            load_vault(keys_file=file, tables_file=None, env={})
    file.chmod(0o600)
    vault = load_vault(keys_file=file, tables_file=None, env={})
    assert vault.group(KeyName(pan=MeterPan(METER[1]), sgc="201457", ti=1, krn=3)).ken == 50


@pytest.mark.parametrize(
    "entries",
    [
        "abababababababab",
        [{"sgc": "201457", "krn": 1, "key": "abababab"}],
        [{"sgc": "201457", "krn": 1, "key": "abababababababab949494949494949401234xyz"}],
        [{"sgc": "201457", "krn": 1}],
        [{"sgc": "2014", "krn": 1, "key": KEY}],
        [{"sgc": "201457", "krn": 11, "key": KEY}],
        [{"sgc": "201457", "krn": 1, "key": KEY, "ken": 256}],
        [{"sgc": "201457", "krn": 1, "key": KEY, "zone": "Mars/Olympus"}],
        [{"sgc": "201457", "krn": 1, "key": KEY, "dkga": "03"}],
        [{"sgc": "201457", "krn": 1, "key": KEY, "kem": 5}],
        [{KEY: "201457"}],
        {KEY: "201457"},
    ],
)
def test_unusable_keys_are_named_and_never_repeated(entries: object) -> None:
    for text in (json.dumps({"keys": entries}), json.dumps(entries) + "{"):
        with pytest.raises(BadInput, match="No code was made") as refused:
            load_vault(keys_file=None, tables_file=None, env={KEYS_VARIABLE: text})
        assert "abab" not in str(refused.value)
        assert refused.value.__cause__ is None and refused.value.__suppress_context__


def test_without_any_keys_the_way_to_give_some_is_said() -> None:
    with pytest.raises(KeysClosed, match=KEYS_VARIABLE):
        load_vault(keys_file=None, tables_file=None, env={})
