"""SIGKILL to any actor during a build ends with the same build succeeding."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.running_platform import RunningPlatform

MESSAGE = "Track wines: name, vintage year, price and whether I liked it"

# Who is killed, and at which event of the build.
KILLS = [
    ("ProducerHost", "plan.ready"),
    ("ProducerHost", "gate.started"),
    ("Verifier", "gate.started"),
    ("NodeAgent", "gate.started"),
    ("NodeAgent", "task.started"),
    ("Supervisor", "plan.ready"),
    ("Gateway", "plan.ready"),
]


def actor_pids(platform: RunningPlatform, title: str) -> list[int]:
    """Processes of that actor class among the platform's own."""
    root = psutil.Process(platform.pid)
    family = [root, *root.children(recursive=True)]
    return [p.pid for p in family if Path(f"/proc/{p.pid}/cmdline").exists() and is_actor(p, title)]


def is_actor(process: psutil.Process, title: str) -> bool:
    try:
        return " ".join(process.cmdline()).startswith(f"ray::{title}")
    except psutil.NoSuchProcess:
        return False


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("title", "moment"),
    [
        pytest.param(t, m, marks=[] if i in {1, 2, 3} else [pytest.mark.soak], id=f"{t}-{m}")
        for i, (t, m) in enumerate(KILLS)
    ],
)
def test_a_killed_actor_costs_the_build_nothing_but_time(
    platform: RunningPlatform, title: str, moment: str
) -> None:
    code, posted = platform.run("new", MESSAGE, "--no-wait")
    assert code == 0
    project, build = posted["project"], posted["build"]
    client = platform.client()
    killed: list[int] = []
    events = []
    for event in client.events(project, build):
        events.append(event)
        if event["kind"] == moment and not killed:
            killed = actor_pids(platform, title)
            assert killed, f"no process is titled ray::{title}"
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
    result = client.get(f"/v1/projects/{project}/builds/{build}")
    assert result["state"] == "succeeded", result["explanation"]
    numbers = [e["number"] for e in events]
    assert numbers == list(range(1, len(numbers) + 1))
    steps = Counter(e["payload"]["number"] for e in events if e["kind"] == "step.finished")
    assert all(count == 1 for count in steps.values()), steps
    finished = [e for e in events if e["kind"] == "build.finished"]
    assert len(finished) == 1
    code, rows = platform.run("psql", project, "-c", "SELECT 1 AS alive")
    assert rows["rows"] == [[1]]
