"""`fairwatt notify`: what a message says before anybody gets it, and a line that is tried."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fairwatt.cli.notify import app
from fairwatt.server.errors import BadInput
from fairwatt.simulate.postbox import Postbox


def test_a_preview_counts_and_an_unknown_word_is_refused() -> None:
    done = CliRunner().invoke(app, ["preview", "cut", "--language", "zh-hans", "--json"])
    said = json.loads(done.stdout)
    assert (said["alphabet"], said["messages"] >= 1, "{" in said["short"]) == ("UCS-2", True, False)
    refused = CliRunner().invoke(app, ["preview", "cut", "--wording", "{nope}"])
    assert isinstance(refused.exception, BadInput)
    assert "nope" in str(refused.exception)


def test_a_line_is_tried_past_the_outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRWATT_STATE", str(tmp_path))
    lines = tmp_path / "notify.toml"
    with Postbox() as box:
        lines.write_text(
            '[[line]]\norganisation = "maple"\nname = "post"\nkind = "smtp"\nhost = "127.0.0.1"\n'
            f'port = {box.smtp_port}\nsecurity = "none"\nsender = "power@maple.example"\n'
        )
        lines.chmod(0o600)
        done = CliRunner().invoke(app, ["send-test", "maple/post", "lin@home.example", "--json"])
        assert (done.exit_code, json.loads(done.stdout)["taken"]) == (0, True)
        assert box.world.arrived[0].to == "lin@home.example"
    gone = CliRunner().invoke(app, ["send-test", "maple/post", "lin@home.example"])
    assert gone.exit_code == 1
    assert "did not take it" in gone.stderr
