"""Secrets as files, one each, so that each can be given to one system user and no other."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fairwatt.server.errors import OperatorError

NAMES: Final = (
    "django",
    "db_admin",
    "db_migrate",
    "db_poster",
    "db_web",
    "db_auditor",
    "db_telemetry",
    "db_collector",
    "db_notifier",
    "nats_backend",
    "nats_telemetry",
    "nats_sys",
    "door",
    "restore",
)


@dataclass(frozen=True, kw_only=True)
class SecretFiles:
    """A folder (mode 0700) of secrets (mode 0600)."""

    folder: Path

    def read(self, name: str) -> str | None:
        """The secret, or None where this process has no such file or may not open it."""
        try:
            return (self.folder / name).read_text().strip() or None
        except (FileNotFoundError, PermissionError):
            return None

    def require(self, name: str) -> str:
        """The secret; raises MissingSecret."""
        found = self.read(name)
        if found is None:
            raise MissingSecret(
                f"The secret {self.folder / name} is missing or closed to this user; nothing was changed. "
                "Run `fairwatt services` once to make it, or copy it from your backup."
            )
        return found

    def ensure(self) -> None:
        """Make every secret that does not exist yet. Existing ones are never replaced."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in NAMES:
            write_once(self.folder / name, secrets.token_urlsafe(48).encode())


class MissingSecret(OperatorError):
    """A secret this process needs is not there."""


def write_once(path: Path, content: bytes, *, mode: int = 0o600) -> bool:
    """Create `path` with all of `content`, or leave the file that is there. True when created.

    The name appears only when the content is complete: a crash between cannot leave half a key.
    """
    if path.exists():
        return False
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True
