"""`fairwatt edge`: a newcomer's bench, the agent as a process, and what `status` says of it."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.rig import run
from edge.test_config import TEXT, a_folder
from edge.visiting import a_gateway, a_pass
from fairwatt.cli.main import app
from fairwatt.edge.local.visitor import write_pass
from fairwatt.edge.status import picture


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    program = [sys.executable, "-m", "fairwatt.cli", "edge", *arguments]
    process = subprocess.Popen(
        program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=20) is not None


def status(folder: Path, *arguments: str) -> tuple[int, Any]:
    program = [
        sys.executable,
        "-m",
        "fairwatt.cli",
        "edge",
        "status",
        "--config",
        "edge-bench/edge.toml",
        *arguments,
    ]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=20)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout) if "--json" in arguments else done.stdout


def told_by(folder: Path, *arguments: str) -> tuple[int, str]:
    program = [sys.executable, "-m", "fairwatt.cli", "edge", *arguments, "--config", "edge-bench/edge.toml"]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("line", [(), ("--serial",)], ids=["tcp", "serial"])
def test_a_newcomer_has_a_running_gateway_in_two_commands(tmp_path: Path, line: tuple[str, ...]) -> None:
    with running(tmp_path, "simulate", "--meters", "2", "--json", *line) as bench:
        assert bench.stdout is not None
        said = json.loads(bench.stdout.readline())
        assert said["config"] == "edge-bench/edge.toml"
        settings = tmp_path / said["config"]
        settings.write_text(settings.read_text().replace("interval_s = 15", "interval_s = 1"))
        code, told = status(tmp_path, "--json")
        assert (code, told["running"]) == (1, False)
        with running(tmp_path, "run", "--config", said["config"]):
            deadline = time.monotonic() + 15
            while not (
                told["running"]
                and all("read_us" in meter for meter in told["meters"])
                and told["spool"]["records"] >= 1
            ):
                assert time.monotonic() < deadline, told
                time.sleep(0.2)
                code, told = status(tmp_path, "--json")
            assert code == 0, told["trouble"]
            assert [meter["meter"] for meter in told["meters"]] == said["meters"]
            assert [meter["relay"] for meter in told["meters"]] == ["closed", "closed"]
            assert not told["link"]["connected"]
            code, text = status(tmp_path)
            assert str(said["meters"][0]) in text
            assert "gw-bench" in text
            code, words = told_by(tmp_path, "code", str(said["meters"][0]), said["code"])
            assert (code, "Power is on until" in words) == (0, True)
            code, words = told_by(tmp_path, "code", str(said["meters"][0]), said["code"])
            assert (code, "used already" in words) == (1, True)
        code, told = status(tmp_path, "--json")
        assert (code, told["running"], told["spool"]["records"] >= 1) == (1, False, True)
        assert told["trouble"][0]["code"] == "not_running"


def test_a_silent_meter_is_trouble_and_the_exit_code_says_so(tmp_path: Path) -> None:
    with running(tmp_path, "simulate", "--meters", "1", "--json") as bench:
        assert bench.stdout is not None
        settings = tmp_path / json.loads(bench.stdout.readline())["config"]
        text = settings.read_text().replace("interval_s = 15", "interval_s = 1")
        lines = text.replace('name = "bench"', 'name = "bench"\nreply_within_ms = 100')
        settings.write_text(lines + '\n[[bus.meter]]\nnumber = 7\naddress = "000000000007"\n')
        with running(tmp_path, "run", "--config", "edge-bench/edge.toml"):
            told: Any = {}
            deadline = time.monotonic() + 15
            while not told.get("running") or not told["trouble"]:
                assert time.monotonic() < deadline, told
                time.sleep(0.2)
                code, told = status(tmp_path, "--json")
            assert code == 1
            assert [(each["code"], each["meter"]) for each in told["trouble"]] == [("meter_silent", 7)]


def told(*arguments: str) -> tuple[int, str]:
    """Exit code and words, whether it went well or not."""
    done = CliRunner().invoke(app, ["edge", *arguments])
    error = done.exception
    return getattr(error, "exit_code", done.exit_code), f"{done.output}{'' if error is None else error}"


def test_what_stands_in_brackets_stands_in_the_help() -> None:
    assert "[[bus.meter]]" in told("map", "--help")[1].replace("\n", " ")


def test_a_language_that_is_not_spoken_uses_up_no_code(tmp_path: Path) -> None:
    settings = a_folder(tmp_path, text=TEXT + "[local]\n")
    code, words = told("code", "100", "1234", "--lang", "de", "--config", str(settings))
    assert (code, "take en or zh. Nothing was sent" in words) == (2, True), (
        "it is told before anybody is asked"
    )
    code, words = told("code", "100", "1234", "--lang", "zh", "--config", str(settings))
    assert (code, "No agent listens" in words) == (2, True)


def test_a_visitor_is_told_what_he_sees_in_kilowatt_hours_and_when_by_which_clock(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            await bench.tick()
            write_pass(tmp_path / "lin.pass", a_pass())
            door = f"127.0.0.1:{bench.agent.local.doors['tcp']}"
            way = ("courier", "--tcp", door, "--pass", str(tmp_path / "lin.pass"))
            code, words = await asyncio.to_thread(told, *way, "look")
            assert (code, " kWh  no account here" in words, "None" in words) == (0, True, False)
            code, words = await asyncio.to_thread(told, *way, "restore", "100", "2")
            assert (code, " UTC." in words) == (0, True)
            code, words = await asyncio.to_thread(told, *way, "load", str(tmp_path / "no.bag"))
            assert (code, "no.bag cannot be read" in words) == (2, True)
            code, words = await asyncio.to_thread(told, *way, "unload", str(tmp_path / "no" / "gw1.out"))
            assert (code, "The gateway keeps everything" in words) == (2, True)

    run(test())


@pytest.mark.parametrize("way", [("--tcp", "127.0.0.1:1"), ("--serial", "/dev/nothing")])
def test_a_gateway_that_is_not_reached_is_told_with_what_it_means(
    tmp_path: Path, way: tuple[str, str]
) -> None:
    write_pass(tmp_path / "lin.pass", a_pass())
    code, words = told("courier", *way, "--pass", str(tmp_path / "lin.pass"), "look")
    assert code == 1
    assert f"is not reached at {way[1]}" in words
    assert "Nothing was sent and supply is as it was" in words


def test_a_full_disk_is_trouble_until_there_is_room_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with a_gateway(tmp_path) as bench:
            agent, at_us = bench.agent, await bench.tick()
            db = agent.spool._db
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count={pages}")
            while not agent.not_kept:
                at_us += 60_000_000
                await agent._survive(agent.poll_once(at_us), at_us=at_us)
            (trouble,) = [one for one in picture(agent)["trouble"] if one["code"] == "not_kept"]
            assert "no room left" in trouble["text"]
            assert "supply stays as it is" in trouble["text"]
            db.execute("PRAGMA max_page_count=1000000")
            await agent._survive(agent.poll_once(at_us + 60_000_000), at_us=at_us)
            assert not [one for one in picture(agent)["trouble"] if one["code"] == "not_kept"]

    run(test())
