"""A platform of its own for a benchmark: started, measured, stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from fleet.cli.client import Client, find_platform

COMMAND = Path(sys.executable).parent / "appfleet"
UP_TIMEOUT_S = 180
BUILD_TIMEOUT_S = 180


@dataclass(frozen=True)
class Running:
    data_dir: Path
    pid: int
    ready_s: float

    def new(self, message: str, *extra: str) -> dict[str, Any]:
        done = subprocess.run(
            [str(COMMAND), "new", message, "--json", *extra],
            env={**os.environ, "APPFLEET_DATA_DIR": str(self.data_dir)},
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"the build failed: {done.stdout}{done.stderr}")
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def client(self) -> Client:
        return Client(find_platform(None, None, self.data_dir))

    def memory_gb(self) -> float:
        """Proportional set size of the whole process tree: shared pages are counted once."""
        root = psutil.Process(self.pid)
        total = 0
        for process in (root, *root.children(recursive=True)):
            try:
                total += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return total / 1e9


@contextmanager
def running_platform() -> Iterator[Running]:
    data_dir = Path(tempfile.mkdtemp(prefix="appfleet-bench-"))
    environment = {**os.environ, "APPFLEET_DATA_DIR": str(data_dir)}
    started = time.monotonic()
    up = subprocess.run(
        [str(COMMAND), "up", "--detach", "--port", "0", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=UP_TIMEOUT_S,
        check=False,
    )
    if up.returncode != 0:
        raise RuntimeError(f"the platform did not start: {up.stdout}{up.stderr}")
    facts = json.loads(up.stdout)
    try:
        yield Running(data_dir=data_dir, pid=facts["pid"], ready_s=time.monotonic() - started)
    finally:
        subprocess.run([str(COMMAND), "down"], env=environment, timeout=90, check=False)
        subprocess.run(["rm", "-rf", str(data_dir)], timeout=90, check=False)
