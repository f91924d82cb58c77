"""Starting, bringing back and ending processes of any kind."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairwatt.server.launcher.process import Identity
from fairwatt.server.launcher.supervisor import ProcessSpec, StartFailed, Supervisor
from launcher.watching import eventually


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    found = Supervisor(run_folder=tmp_path, log_folder=tmp_path, say=said.append)
    yield found
    found.close()


def spec(
    script: str, *, name: str = "one", folder: Path, patience_s: float = 5, ready_s: float = 5
) -> ProcessSpec:
    """A Python script that is ready once it has written the file `ready`."""
    return ProcessSpec(
        name=name,
        argv=[sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"]},
        cwd=folder,
        ready=lambda pid: (folder / f"ready-{pid}").exists(),
        stop_patience_s=patience_s,
        ready_timeout_s=ready_s,
    )


READY = "import os, pathlib, signal, subprocess, sys, time; pathlib.Path(f'ready-{os.getpid()}').touch(); "
STAY = READY + "time.sleep(60)"


def test_what_dies_is_started_again_and_said(supervisor: Supervisor, tmp_path: Path, said: list[str]) -> None:
    supervisor.start(spec(STAY, folder=tmp_path))
    before = supervisor.status()[0].pid
    supervisor.kill("one")
    supervisor.wait_ready("one")
    after = supervisor.status()[0]
    assert after.pid != before
    assert after.restarts == 1
    assert said == ["one ended (SIGKILL); starting it again"]


def test_a_program_that_keeps_failing_is_told_in_its_words(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="the disk is full"):
        supervisor.start(spec("raise SystemExit('the disk is full')", folder=tmp_path))


def test_a_program_that_is_never_ready_is_reported_in_time(supervisor: Supervisor, tmp_path: Path) -> None:
    started_s = time.monotonic()
    with pytest.raises(StartFailed, match="did not start"):
        supervisor.start(spec("import time; time.sleep(60)", folder=tmp_path, ready_s=0.3))
    assert time.monotonic() - started_s < 3


def test_a_program_that_is_not_there_is_reported(supervisor: Supervisor, tmp_path: Path) -> None:
    missing = ProcessSpec(
        name="gone", argv=["/no/such/program"], env={}, ready=lambda pid: False, ready_timeout_s=5
    )
    with pytest.raises(StartFailed, match="No such file"):
        supervisor.start(missing)


def test_one_that_ignores_the_stop_signal_is_killed_with_its_children(
    supervisor: Supervisor, tmp_path: Path, said: list[str]
) -> None:
    stubborn = (
        READY.replace("pathlib.Path", "signal.signal(signal.SIGTERM, signal.SIG_IGN); pathlib.Path", 1)
        + "child = subprocess.Popen(['sleep', '60'], start_new_session=True); "
        + "pathlib.Path('child').write_text(str(child.pid)); time.sleep(60)"
    )
    supervisor.start(spec(stubborn, folder=tmp_path, patience_s=0.3))
    assert eventually(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "")
    child = Identity.of(int((tmp_path / "child").read_text()))
    assert child is not None
    supervisor.stop("one")
    assert eventually(lambda: not child.alive())
    assert "was killed" in said[-1]


def test_the_last_started_is_stopped_first(supervisor: Supervisor, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        script = f"name = '{name}'\n" + (
            "import os, pathlib, signal, time\n"
            "def end(*_):\n"
            "    with open('order', 'a') as file: file.write(name + ' ')\n"
            "    raise SystemExit\n"
            "signal.signal(signal.SIGTERM, end)\n"
            "pathlib.Path(f'ready-{os.getpid()}').touch()\n"
            "while True: time.sleep(1)\n"
        )
        supervisor.start(spec(script, name=name, folder=tmp_path))
    supervisor.close()
    assert (tmp_path / "order").read_text() == "third second first "


def test_what_an_earlier_supervisor_left_behind_is_ended_first(tmp_path: Path, said: list[str]) -> None:
    """As on systems whose kernel has no parent-death signal: the pid file is the second line of defence."""
    left = Supervisor(run_folder=tmp_path, log_folder=tmp_path, say=said.append)
    left.start(spec(STAY, folder=tmp_path))
    leftover = Identity.of(left.status()[0].pid or 0)
    assert leftover is not None
    following = Supervisor(run_folder=tmp_path, log_folder=tmp_path, say=said.append)
    following.start(spec(STAY, folder=tmp_path))
    assert not leftover.alive()
    assert "still running from an earlier start" in said[0]
    left.close()
    following.close()


def test_a_pid_that_now_belongs_to_a_stranger_is_left_alone(supervisor: Supervisor, tmp_path: Path) -> None:
    (tmp_path / "one.pid").write_text(f'{{"pid": {os.getpid()}, "started": "1", "stop_signal": 15}}')
    supervisor.start(spec(STAY, folder=tmp_path))
    assert supervisor.status()[0].ready  # and we are here to say so


def test_a_signal_reaches_the_process(supervisor: Supervisor, tmp_path: Path) -> None:
    script = READY.replace(
        "pathlib.Path",
        "signal.signal(signal.SIGHUP, lambda *_: pathlib.Path('heard').touch()); pathlib.Path",
        1,
    )
    supervisor.start(spec(script + "[time.sleep(1) for _ in range(60)]", folder=tmp_path))
    supervisor.send("one", signal.SIGHUP)
    assert eventually(lambda: (tmp_path / "heard").exists())
