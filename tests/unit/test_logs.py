"""The actors' log file: lines of every process, bounded; and faults told in short."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from fleet.errors import InfrastructureError, in_short
from fleet.logs import MAX_VALUE_CHARS, LinesFile, log_to


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_line_tells_its_process_its_build_and_the_error(tmp_path: Path) -> None:
    log = structlog.get_logger()  # as modules do, before anything is configured
    log_to(tmp_path, "verifier-0")
    with structlog.contextvars.bound_contextvars(project="prj_a", build="bld_a"):
        try:
            raise ValueError("x" * 50_000)
        except ValueError as error:
            log.exception("build interrupted", error=str(error))
    (line,) = (tmp_path / "log" / "builds.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert (told["process"], told["project"], told["build"]) == ("verifier-0", "prj_a", "bld_a")
    assert (told["event"], told["level"]) == ("build interrupted", "error")
    assert "ValueError" in told["exception"] and told["timestamp"].endswith("Z")
    assert len(told["error"]) <= MAX_VALUE_CHARS + 1


def test_the_file_never_outgrows_its_bound_and_the_newest_lines_stay(tmp_path: Path) -> None:
    path = tmp_path / "log" / "builds.jsonl"
    one, other = LinesFile(path, 1_000), LinesFile(path, 1_000)
    for number in range(200):
        (one if number % 2 else other).write(f"line {number:04}\n")
    sizes = {p.name: p.stat().st_size for p in path.parent.iterdir()}
    assert set(sizes) == {"builds.jsonl", "builds.jsonl.1", "builds.lock"}
    assert max(sizes.values()) <= 1_000
    kept = (path.with_name("builds.jsonl.1").read_text() + path.read_text()).splitlines()
    assert kept[-1] == "line 0199" and len(kept) > 100
    assert kept == sorted(kept)


def test_a_process_that_was_stopped_with_the_lock_stops_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log" / "builds.jsonl"
    file = LinesFile(path, 20)
    file.write("a first line\n")
    with path.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        file.write("a second line\n")
    assert path.read_text().splitlines() == ["a first line", "a second line"]
    file.write("a third line\n")
    assert path.read_text() == "a third line\n"


def test_a_fault_in_short_is_one_line_with_what_to_do() -> None:
    long = "\n  Chromium does not start.\nBrowser logs:\n" + "dbus error\n" * 500
    fault = InfrastructureError(long, action="Run `appfleet doctor`.")
    assert in_short(fault) == "Chromium does not start. Run `appfleet doctor`."
    assert len(in_short(OSError("y" * 6_000))) == 300
    assert in_short(TimeoutError()) == "TimeoutError"
