"""Files that commands are given and files that they write: one way to read, one way to refuse, one way to write."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from fairwatt.server.errors import BadInput

TEXT_BYTES_MAX: Final = 50_000_000
Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]


def read_bytes(path: Path, *, bytes_max: int = TEXT_BYTES_MAX) -> bytes:
    """Read a file whole. Raises BadInput, in one line, where that cannot be."""
    try:
        with path.open("rb") as file:
            content = file.read(bytes_max + 1)
    except OSError as failure:
        raise BadInput(
            f"{path} cannot be read ({failure.strerror}). Nothing was changed; name a file that is there."
        ) from failure
    except ValueError as error:
        raise BadInput(f"{str(path)!r} is no name of a file ({error}). Nothing was changed.") from error
    if len(content) > bytes_max:
        raise BadInput(f"{path} has more than {bytes_max} bytes. Nothing was changed; give a smaller file.")
    return content


def read_text(path: Path, *, bytes_max: int = TEXT_BYTES_MAX) -> str:
    """Read a text file whole. Raises BadInput, in one line, for what is none."""
    content = read_bytes(path, bytes_max=bytes_max)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not text in UTF-8. Nothing was changed; export it as text.") from error
    if not text.strip() or "\0" in text:
        raise BadInput(
            f"{path} is {'no text' if text.strip() else 'empty'}. Nothing was changed; give the right file."
        )
    return text


def check_target(out: Path, *, force: bool) -> None:
    """Refuse, before the work is done, a place where its result cannot be written. Raises BadInput."""
    if out.is_dir():
        raise BadInput(f"{out} is a folder. Nothing was written; name a file in it with --out.")
    if out.is_file() and not force:
        raise BadInput(f"{out} is there already. Nothing was written; take another name, or say --force.")
    folder = out.resolve().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise BadInput(
            f"There is no folder {folder} and it cannot be made ({failure.strerror}). Nothing was written; "
            "name another --out."
        ) from failure
    if not os.access(out if _is_device(out) else folder, os.W_OK):
        raise BadInput(f"{out} may not be written by this user. Nothing was written; name another --out.")


@contextmanager
def writing(out: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Open a file that is there whole in the end, or not at all. Raises BadInput."""
    check_target(out, force=force)
    if _is_device(out):
        with out.open("wb") as file:
            yield file
        return
    target, made = out.resolve(), None
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
        made = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        made.chmod(0o666 & ~mask)
        if force:
            made.replace(target)
        else:
            target.hardlink_to(made)  # unlike a rename, it never takes another's place
    except FileExistsError as error:
        raise BadInput(
            f"{out} is there already. Nothing was written; take another name, or say --force."
        ) from error
    except OSError as failure:
        raise BadInput(
            f"{out} cannot be written ({failure.strerror}). Nothing was written; name another --out."
        ) from failure
    finally:
        if made is not None:
            made.unlink(missing_ok=True)


def _is_device(out: Path) -> bool:
    return out.exists() and not out.is_file() and not out.is_dir()
