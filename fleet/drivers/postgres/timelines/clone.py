"""Copies a data directory, by reflink where the filesystem can. Blocking: call it in a thread."""

from __future__ import annotations

import errno
import fcntl
import io
import os
from dataclasses import dataclass
from pathlib import Path

_FICLONE = 0x40049409
_CANNOT_REFLINK = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS}
_COPY_CHUNK = 1 << 30

# Rebuilt at every start, or meaningful only to the running server (the list of pg_basebackup).
_EMPTY_FOLDERS = frozenset(
    [
        "pg_dynshmem",
        "pg_notify",
        "pg_replslot",
        "pg_serial",
        "pg_snapshots",
        "pg_stat_tmp",
        "pg_subtrans",
    ]
)
_SKIPPED_FILES = frozenset(
    [
        "postmaster.pid",
        "postmaster.opts",
        "backup_label",
        "backup_label.old",
        "tablespace_map",
        "current_logfiles",
        "pg_internal.init",
    ]
)
_CONTROL_FILE = "pg_control"
_CONTROL_READS = 10


def can_reflink(folder: Path) -> bool:
    """Asks the filesystem itself, with two small files."""
    source, target = folder / ".reflink-from", folder / ".reflink-to"
    try:
        source.write_bytes(b"x" * 8192)
        with source.open("rb") as a, target.open("wb") as b:
            try:
                fcntl.ioctl(b.fileno(), _FICLONE, a.fileno())
            except OSError as error:
                if error.errno in _CANNOT_REFLINK:
                    return False
                raise
        return True
    finally:
        source.unlink(missing_ok=True)
        target.unlink(missing_ok=True)


@dataclass(frozen=True)
class Cloner:
    """`owner` is the uid the copies belong to (only root may choose one)."""

    reflink: bool
    owner: int

    def folder(self, source: Path, target: Path, *, live: bool = False) -> None:
        """`live`: leaves out WAL, which the caller adds once it knows how much is needed."""
        self._make_folder(target)
        with os.scandir(source) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name in _EMPTY_FOLDERS:
                        self._make_folder(target / entry.name)
                    elif live and entry.name == "pg_wal":
                        self._make_folder(target / entry.name)
                        self._make_folder(target / entry.name / "archive_status")
                        self._make_folder(target / entry.name / "summaries")
                    elif not entry.name.startswith("pgsql_tmp"):
                        self.folder(Path(entry.path), target / entry.name, live=live)
                elif entry.is_file(follow_symlinks=False) and not _is_skipped(entry.name):
                    try:
                        self.file(Path(entry.path), target / entry.name)
                    except FileNotFoundError:
                        if not live:  # a live server drops tables: replay drops the copy too
                            raise

    def file(self, source: Path, target: Path) -> None:
        if source.name == _CONTROL_FILE:
            self._control_file(source, target)
            return
        with source.open("rb", buffering=0) as a, self._create(target) as b:
            if self.reflink:
                fcntl.ioctl(b, _FICLONE, a.fileno())
                return
            while os.copy_file_range(a.fileno(), b.fileno(), _COPY_CHUNK):
                pass

    def write(self, target: Path, content: bytes) -> None:
        with self._create(target) as file:
            file.write(content)

    def _control_file(self, source: Path, target: Path) -> None:
        """Read until two reads agree: the server may be rewriting it, and its checksum is one."""
        content = source.read_bytes()
        for _ in range(_CONTROL_READS):
            again = source.read_bytes()
            if again == content:
                break
            content = again
        self.write(target, content)

    def _create(self, target: Path) -> io.FileIO:
        file = target.open("xb", buffering=0)
        os.fchmod(file.fileno(), 0o600)
        if os.geteuid() == 0:
            os.fchown(file.fileno(), self.owner, self.owner)
        return file

    def _make_folder(self, target: Path) -> None:
        target.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(target, self.owner, self.owner)


def _is_skipped(name: str) -> bool:
    return name in _SKIPPED_FILES or name.startswith("pgsql_tmp")


def sync_folder(folder: Path) -> None:
    """Forces every file below to disk."""
    for root, _, names in os.walk(folder):
        for path in [root, *(os.path.join(root, name) for name in names)]:  # noqa: PTH118
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
