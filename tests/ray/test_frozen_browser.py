"""A Chromium that answers nothing, and a verifier killed in mid-gate: told, logged, survived."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import psutil
import pytest

from tests.ray.test_killed_actors import actor_pids
from tests.running_platform import RunningPlatform

MESSAGE = "Track books: title, author and year"


def chromium_pids(platform: RunningPlatform) -> list[int]:
    """Processes of Chromium among the platform's own."""
    pids = []
    for process in psutil.Process(platform.pid).children(recursive=True):
        try:
            if "chromium" in process.name() or "headless" in process.name():
                pids.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return pids


def log_lines(platform: RunningPlatform, build: str) -> list[dict[str, Any]]:
    text = (platform.data_dir / "log" / "builds.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line.get("build") == build]


@pytest.mark.soak  # the driver alone is held to it in tests/contract/test_browser_frozen.py
@pytest.mark.timeout(300)
def test_a_frozen_chromium_costs_a_build_some_seconds(platform: RunningPlatform) -> None:
    code, first = platform.run("new", MESSAGE)  # from here on Chromium is warm
    assert code == 0, first
    assert chromium_pids(platform)
    code, posted = platform.run("new", MESSAGE, "--no-wait")
    assert code == 0
    project, build = posted["project"], posted["build"]
    client, frozen_at = platform.client(), 0.0
    frozen: list[int] = []
    for event in client.events(project, build):
        if event["kind"] == "gate.started" and not frozen:
            frozen, frozen_at = chromium_pids(platform), time.monotonic()
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
    took_s = time.monotonic() - frozen_at
    result = client.get(f"/v1/projects/{project}/builds/{build}")
    assert result["state"] == "succeeded", result["explanation"]
    assert frozen and not set(frozen) & set(chromium_pids(platform))
    assert took_s < 120
    print(f"{len(frozen)} processes frozen; the build ended {took_s:.1f} s later")
    events = [line["event"] for line in log_lines(platform, build)]
    assert "chromium killed" in events
    assert "gate judged" in events and events[-1] == "build ended"


@pytest.mark.timeout(300)
def test_a_verifier_killed_in_mid_gate_leaves_a_notice_and_a_line(
    platform: RunningPlatform,
) -> None:
    code, posted = platform.run("new", MESSAGE, "--no-wait")
    assert code == 0
    project, build = posted["project"], posted["build"]
    client = platform.client()
    killed: list[int] = []
    notices: list[str] = []
    for event in client.events(project, build):
        if event["kind"] == "check.finished" and not killed:
            killed = actor_pids(platform, "Verifier")
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        if event["kind"] == "notice":
            notices.append(event["payload"]["text"])
    result = client.get(f"/v1/projects/{project}/builds/{build}")
    assert result["state"] == "succeeded", result["explanation"]
    assert killed
    assert any("died during the gate" in text and "run again" in text for text in notices), notices
    repeated = [x for x in log_lines(platform, build) if x["event"] == "gate to be repeated"]
    assert repeated and repeated[0]["project"] == project
