"""What lies in a data directory besides data: its version, its lock, its token, its address."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO

from fleet.errors import SetupError

# Raised whenever a data directory written by this version cannot be read by the one before.
DATA_VERSION = 1
MIN_FREE_BYTES = 500 * 2**20


class Installation:
    """`claim` holds the directory's lock as long as this process lives."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._lock: IO[str] | None = None

    @property
    def log_path(self) -> Path:
        return self.data_dir / "log" / "platform.log"

    def claim(self) -> None:
        """Raises SetupError for a foreign, newer, full or already used directory."""
        self.check()
        self._create()
        lock = (self.data_dir / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            running = self.address()
            where = f" at {running['url']} (pid {running['pid']})" if running else ""
            raise SetupError(
                f"A platform already runs on {self.data_dir}{where}.",
                action="Use it, stop it with `appfleet down`, or choose another --data-dir.",
            ) from error
        self._lock = lock
        _write(self.data_dir / "version", f"{DATA_VERSION}\n", 0o644)

    def check(self) -> None:
        """The part of `claim` that only looks."""
        if self.data_dir.exists():
            self._check_owner()
            self._check_version()
            self._check_space()

    def _create(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.data_dir / "log").mkdir(exist_ok=True)
        except OSError as error:
            raise SetupError(
                f"The data directory {self.data_dir} cannot be made: {error.strerror}.",
                action="Choose another with --data-dir.",
            ) from error

    def _check_owner(self) -> None:
        owner = self.data_dir.stat().st_uid
        if owner != os.geteuid():
            raise SetupError(
                f"The data directory {self.data_dir} belongs to uid {owner}, not to you.",
                action="Run as that user, or choose another --data-dir.",
            )

    def _check_version(self) -> None:
        try:
            text = (self.data_dir / "version").read_text().strip()
        except FileNotFoundError:
            return
        if not text.isdigit():
            raise SetupError(
                f"{self.data_dir / 'version'} holds {text[:20]!r} instead of a number.",
                action="Is it appfleet's data directory? Choose another with --data-dir.",
            )
        if int(text) > DATA_VERSION:
            raise SetupError(
                f"The data directory {self.data_dir} was written by a newer appfleet "
                f"(version {text[:20]}, this one knows {DATA_VERSION}).",
                action="Upgrade appfleet, or choose another --data-dir. Nothing was changed.",
            )

    def _check_space(self) -> None:
        stat = os.statvfs(self.data_dir)
        free = stat.f_bavail * stat.f_frsize
        if free < MIN_FREE_BYTES:
            raise SetupError(
                f"Only {free // 2**20} MiB are free under {self.data_dir}.",
                action=f"Free at least {MIN_FREE_BYTES // 2**20} MiB, then start again.",
            )

    def token(self) -> str | None:
        try:
            return (self.data_dir / "token").read_text().strip() or None
        except FileNotFoundError:
            return None

    def keep_token(self, token: str) -> None:
        _write(self.data_dir / "token", token + "\n", 0o600)

    def announce(self, facts: dict[str, object]) -> None:
        _write(self.data_dir / "platform.json", json.dumps(facts) + "\n", 0o600)

    def withdraw(self) -> None:
        (self.data_dir / "platform.json").unlink(missing_ok=True)

    def address(self) -> dict[str, object] | None:
        """What a platform here announced; None when none runs (a stale file is ignored)."""
        try:
            facts = json.loads((self.data_dir / "platform.json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(facts, dict):
            return None
        return facts if self._locked() else None

    def _locked(self) -> bool:
        """Whether a platform holds the directory; a pid alone may by now be somebody else's."""
        try:
            with (self.data_dir / "lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return False


def _write(path: Path, text: str, mode: int) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
