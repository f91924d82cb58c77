"""Commands through a line that loses, doubles, delays, overtakes and damages: none lost, none doubled."""

from pathlib import Path

from fairwatt.server.launcher.services import Services
from support.hail import hailed


def test_two_thousand_commands_come_through_hail_each_once(house: Services, tmp_path: Path) -> None:
    figures = hailed(folder=tmp_path, seed=1, homes=100, commands=2_000)
    assert figures["commands"] >= 2_000
    assert figures["proven"] > 1_000
    assert figures["relay_moves"] > 5
    assert figures["frames_damaged"] > 0, figures
    for fault in ("lost", "doubled", "overtaken"):
        assert figures[f"frames_{fault}"] > 50, figures
