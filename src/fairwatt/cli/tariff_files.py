"""Tariff files from disk, with the market prices that lie beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fairwatt.core.rating.tariff_file import TariffFile, TariffFileError, read_tariff
from fairwatt.core.rating.tariff_series import csv_rows
from fairwatt.core.rating.tariff_yaml import MAX_TEXT

SERIES_BYTES_MAX = 64 * 1024 * 1024


def load_tariff(path: Path) -> TariffFile:
    """Read a tariff file; series are looked up in its own folder, never outside.

    Raises TariffFileError, OSError or UnicodeDecodeError.
    """
    folder = path.resolve().parent

    def rows(name: str, time: str, price: str) -> Iterable[tuple[str, str]]:
        beside = (folder / name).resolve()
        if folder not in beside.parents:
            raise ValueError("a series lies beside the tariff file or below it, not elsewhere")
        if beside.stat().st_size > SERIES_BYTES_MAX:
            raise ValueError(f"it is larger than {SERIES_BYTES_MAX} bytes")
        if beside.suffix.lower() in {".parquet", ".pq"}:
            return _parquet_rows(beside, time, price)
        return csv_rows(beside.read_text(encoding="utf-8-sig"), time, price)

    return read_tariff(_text(path), series_rows=rows)


def load_named(path: Path) -> TariffFile:
    """Read a tariff file, where several files were given: a fault names the file as well as the line."""
    try:
        return load_tariff(path)
    except TariffFileError as error:
        meaning = f"{error.meaning} (in {path.name})"
        raise TariffFileError(
            line=error.line, column=error.column, code=error.code, meaning=meaning
        ) from error


def _text(path: Path) -> str:
    """The text of a tariff file; of a longer file no more than shows that it is too long."""
    with path.open(encoding="utf-8") as file:
        return file.read(MAX_TEXT + 1)


def _parquet_rows(path: Path, time: str, price: str) -> Iterable[tuple[str, str]]:
    import pyarrow as pa  # the edge reads no Parquet: pyarrow is a server part
    import pyarrow.parquet as pq

    try:
        table: Any = pq.read_table(path, columns=[time, price])
    except pa.ArrowException as error:
        raise ValueError(
            f"it is not readable Parquet with the columns {time} and {price} ({error})"
        ) from error
    for at, value in zip(table[time].to_pylist(), table[price].to_pylist(), strict=True):
        if at is not None and value is not None:
            yield at if isinstance(at, str) else at.isoformat(), str(value)
