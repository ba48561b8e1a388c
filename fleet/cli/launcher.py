"""Starting and stopping the platform's root process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleet.errors import InfrastructureError, SetupError
from fleet.installation import Installation

READY_DEADLINE_S = 150.0
STOP_DEADLINE_S = 30.0
OnReport = Callable[[dict[str, Any]], None]

# The repository's root: `serve` and `actors` lie beside `fleet`.
_ROOT = Path(__file__).resolve().parent.parent.parent


def launch(
    data_dir: Path, environment: dict[str, str], on_report: OnReport, *, detach: bool
) -> int:
    """Runs `python -m serve.launch`. Returns its exit code; 0 when detached and ready."""
    Installation(data_dir).check()  # before even the log is made there
    log = _open_log(data_dir)
    with log:
        process = subprocess.Popen(
            [sys.executable, "-m", "serve.launch"],
            cwd=_ROOT,
            env={**os.environ, **environment, "APPFLEET_DATA_DIR": str(data_dir)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=detach,
        )
    told: set[str] = set()

    def noted(report: dict[str, Any]) -> None:
        told.add(str(report.get("event")))
        on_report(report)

    try:
        ready = _follow(process, noted, until_ready=detach)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_DEADLINE_S)
        return 0
    if detach and ready:
        return 0
    code = process.wait()
    if not ready and code != 0 and "error" not in told:  # else it has said why itself
        raise InfrastructureError(
            "The platform ended before it was ready.",
            action=f"Its log says why: {Installation(data_dir).log_path}",
        )
    return code


def _open_log(data_dir: Path) -> Any:
    path = Installation(data_dir).log_path
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path.open("a")
    except OSError as error:
        raise SetupError(
            f"The data directory {data_dir} cannot be written: {error.strerror}.",
            action="Choose another with --data-dir, or free some space.",
        ) from error


def _follow(process: subprocess.Popen[str], on_report: OnReport, *, until_ready: bool) -> bool:
    """Passes on each report; True once it was ready."""
    assert process.stdout is not None
    ready = False
    for line in process.stdout:
        try:
            report = json.loads(line)
        except ValueError:
            continue  # a library's own print
        on_report(report)
        ready = ready or report.get("event") == "ready"
        if ready and until_ready:
            break
    return ready


def stop(data_dir: Path) -> bool:
    """False when none was running."""
    address = Installation(data_dir).address()
    if address is None:
        return False
    pid = int(str(address["pid"]))
    os.kill(pid, signal.SIGTERM)
    give_up_at = time.monotonic() + STOP_DEADLINE_S
    while _exists(pid):
        if time.monotonic() > give_up_at:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.1)  # another session's process: no event tells of its end
    Installation(data_dir).withdraw()
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")
