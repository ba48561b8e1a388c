"""A whole platform on a data directory and a port of its own, driven through the command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet.cli.client import Address, Client, find_platform

COMMAND = Path(sys.executable).parent / "appfleet"
UP_TIMEOUT_S = 180
BUILD_TIMEOUT_S = 150


@dataclass(frozen=True)
class RunningPlatform:
    data_dir: Path
    url: str
    pid: int

    def run(self, *arguments: str, timeout_s: float = BUILD_TIMEOUT_S) -> tuple[int, Any]:
        """One `appfleet … --json`; its exit code and what it printed."""
        done = subprocess.run(
            [str(COMMAND), *arguments, "--json"],
            env={**os.environ, "APPFLEET_DATA_DIR": str(self.data_dir)},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.stdout.strip(), done.stderr
        return done.returncode, json.loads(done.stdout)

    def client(self) -> Client:
        address: Address = find_platform(None, None, self.data_dir)
        return Client(address)


@pytest.fixture(scope="session")
def platform() -> Iterator[RunningPlatform]:
    data_dir = Path(tempfile.mkdtemp(prefix="appfleet-e2e-"))
    environment = {**os.environ, "APPFLEET_DATA_DIR": str(data_dir)}
    up = subprocess.run(
        [str(COMMAND), "up", "--detach", "--port", "0", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=UP_TIMEOUT_S,
        check=False,
    )
    log = data_dir / "log" / "platform.log"
    tail = log.read_text()[-4000:] if log.exists() else ""
    assert up.returncode == 0, up.stdout + up.stderr + tail
    try:
        facts = json.loads(up.stdout)
        yield RunningPlatform(data_dir=data_dir, url=facts["url"], pid=facts["pid"])
    finally:
        subprocess.run([str(COMMAND), "down"], env=environment, timeout=60, check=False)
        subprocess.run(["rm", "-rf", str(data_dir)], timeout=60, check=False)
