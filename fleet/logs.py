"""Where the actors' log lines go: one bounded file of JSON lines in the data directory.

Ray keeps what a worker prints among its own session's files, which nobody finds and which go with
the session.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

MAX_BYTES = 10_000_000
MAX_VALUE_CHARS = 8_000


def log_to(data_dir: Path, process: str) -> None:
    """For this whole process. `process` names it in every line."""
    file = LinesFile(data_dir / "log" / "builds.jsonl")

    def named(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**{k: _bounded(v) for k, v in line.items()}, "process": process}

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            named,
            structlog.processors.JSONRenderer(default=str),
        ],
        logger_factory=lambda *_: structlog.WriteLogger(file),  # type: ignore[arg-type]
    )


def _bounded(value: object) -> object:
    """Both ends of a long text: a trace tells at its end what went wrong."""
    if not isinstance(value, str) or len(value) <= MAX_VALUE_CHARS:
        return value
    half = MAX_VALUE_CHARS // 2
    return f"{value[:half]}…{value[-half:]}"


class LinesFile:
    """Appended to by many processes at once; a full one is kept as `.1`, in the place of the last.

    Opened for each line: another process may have put it aside meanwhile, and lines are few.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes

    def write(self, text: str) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        line = text.encode("utf-8", "replace")
        if self._is_full(len(line)):
            self._put_aside(len(line))
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
        return len(text)

    def _is_full(self, more: int) -> bool:
        return self._path.exists() and self._path.stat().st_size + more > self._max_bytes

    def _put_aside(self, more: int) -> None:
        """Never waits: whoever holds the lock is doing it, or is stopped and must stop no other."""
        with self._path.with_suffix(".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if self._is_full(more):
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))

    def flush(self) -> None:
        """Each line is written at once."""
