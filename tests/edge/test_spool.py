"""The memory of the gateway: what was kept is there after a pulled plug, and receipts and events never go."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fairwatt.edge.spool import Spool, SpoolDamaged, SpoolError, SpoolFull
from fairwatt.wire.frames import Kind, decode_event


def a_spool(folder: Path, *, max_bytes: int = 1 << 20, now_us: int = 1000) -> Spool:
    return Spool(path=folder / "spool.db", now_us=now_us, max_bytes=max_bytes)


def fill(spool: Spool, count: int, kind: Kind = Kind.READINGS, size: int = 40) -> list[int]:
    return [spool.append(kind=kind, body=bytes([n % 256]) * size, at_us=5) for n in range(count)]


def test_records_come_out_in_the_order_they_went_in(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    assert fill(spool, 5) == [1, 2, 3, 4, 5]
    assert [item.seq for item in spool.read(after_seq=2, max_bytes=10**6, max_items=100)] == [3, 4, 5]
    assert [item.seq for item in spool.read(after_seq=0, max_bytes=120, max_items=100)] == [1, 2]
    assert len(spool.read(after_seq=0, max_bytes=1, max_items=100)) == 1, "one record always goes"


def test_what_people_use_and_when_is_for_nobody_else_on_the_box(tmp_path: Path) -> None:
    fill(a_spool(tmp_path), 1)
    assert {one.name: one.stat().st_mode & 0o077 for one in tmp_path.glob("spool.db*")} == {
        "spool.db": 0,
        "spool.db-wal": 0,
    }


def test_only_an_acknowledgement_of_this_life_deletes(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    fill(spool, 5)
    assert spool.forget(epoch=spool.epoch + 1, upto_seq=5) == 0
    assert spool.forget(epoch=spool.epoch, upto_seq=3) == 3
    assert (spool.acked_seq, spool.count) == (3, 2)


def test_a_number_is_never_used_twice_even_when_all_is_acknowledged(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    fill(spool, 5)
    spool.forget(epoch=spool.epoch, upto_seq=5)
    assert spool.count == 0
    spool.close()
    again = a_spool(tmp_path, now_us=9_999)
    assert again.epoch == 1000, "the epoch is the life of the file, not of the program"
    assert fill(again, 1) == [6]


def test_a_full_spool_drops_the_oldest_readings_and_says_so(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, max_bytes=4000)
    fill(spool, 10, Kind.RECEIPT)
    fill(spool, 10, Kind.EVENT)
    fill(spool, 200)
    items = spool.read(after_seq=0, max_bytes=10**6, max_items=1000)
    assert [item.kind for item in items[:20]] == [Kind.RECEIPT] * 10 + [Kind.EVENT] * 10
    assert items[-1].seq == spool.last_seq
    told = [decode_event(item.body) for item in items[20:] if item.kind == Kind.EVENT]
    kept = sum(item.kind == Kind.READINGS for item in items)
    dropped = sum(int(event.detail["records"] or 0) for event in told)
    assert {event.code for event in told} == {"readings_dropped"}
    assert kept + dropped == 200
    assert sum(len(item.body) for item in items) <= 4000 + 200


def test_receipts_and_events_are_refused_rather_than_dropped(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, max_bytes=1000)
    with pytest.raises(SpoolFull, match="supply stays as it is"):
        fill(spool, 100, Kind.RECEIPT)
    count = spool.count
    with pytest.raises(SpoolFull):
        fill(spool, 1, Kind.EVENT, size=500)
    assert spool.count == count == len(spool.read(after_seq=0, max_bytes=10**6, max_items=1000))


def test_a_disk_without_space_is_a_loud_error_and_loses_nothing_kept(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    fill(spool, 5)
    pages = spool._db.execute("PRAGMA page_count").fetchone()[0]
    spool._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(SpoolFull, match="no room left"):
        fill(spool, 500, size=2000)
    count = spool.count
    assert count == len(spool.read(after_seq=0, max_bytes=10**9, max_items=10_000))
    assert spool.forget(epoch=spool.epoch, upto_seq=2) == 2


def test_what_belongs_together_is_kept_together(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    with pytest.raises(RuntimeError), spool.atomic():
        fill(spool, 3)
        spool.put([("guard", b"new")])
        raise RuntimeError
    assert (spool.count, spool.get("guard"), spool.last_seq) == (0, None, 0)


def test_the_sequence_of_a_meters_commands_only_rises(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    huge = 2**64 - 1
    spool.keep_command(meter=huge, seq=5, message=b"five")
    for seq in (4, 5):
        with pytest.raises(ValueError, match="not newer"):
            spool.keep_command(meter=huge, seq=seq, message=b"other")
    assert spool.open_commands() == [(huge, (5, b"five", None))]
    spool.keep_receipt(meter=huge, seq=5, receipt=b"done")
    assert spool.open_commands() == []
    assert spool.command(meter=huge) == (5, b"five", b"done")


def test_a_broken_file_is_not_replaced_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.write_bytes(b"this is not a database, but it may once have been one" * 100)
    with pytest.raises(SpoolDamaged, match="Keep the file"):
        Spool(path=path, now_us=1)
    assert path.read_bytes().startswith(b"this is not")


def test_a_file_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    a_spool(tmp_path).close()
    with sqlite3.connect(tmp_path / "spool.db") as db:
        db.execute("PRAGMA user_version=9")
    db.close()
    with pytest.raises(SpoolDamaged, match="newer format 9"):
        a_spool(tmp_path)


def test_two_agents_cannot_share_one_memory(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    fill(spool, 1)
    with pytest.raises(SpoolError, match="in use by another agent"):
        a_spool(tmp_path)


WRITER = """
import sys
from pathlib import Path
from fairwatt.edge.spool import Spool
from fairwatt.wire.frames import Kind
spool = Spool(path=Path(sys.argv[1]), now_us=1)
while True:
    seq = spool.append(kind=Kind.READINGS, body=b"x" * 40, at_us=1)
    print(seq, flush=True)
"""


def test_everything_confirmed_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(50):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        said = [int(line) for line in writer.communicate()[0].split()]
        spool = Spool(path=path, now_us=2)
        kept = [item.seq for item in spool.read(after_seq=0, max_bytes=10**9, max_items=10**6)]
        assert kept == list(range(1, len(kept) + 1))
        assert not said or kept[-1] >= said[-1]
        spool.close()
