"""Runtime: one body for every driver. The app is fifteen lines, so a test costs milliseconds."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from fleet.domain.ids import AppSlug, CommitId, EndpointId, ProjectId, TimelineId, WorkloadId
from fleet.domain.repository import NewCommit
from fleet.domain.timeline import ComputeState, Endpoint
from fleet.domain.workload import Command, Purpose, Workload, WorkloadState, WorkloadStatus
from fleet.drivers.bubblewrap.cgroup import ROOT, describe_cgroups
from fleet.drivers.bubblewrap.runtime import BubblewrapRuntime, Limits
from fleet.drivers.git.repositories import GitRepositories
from fleet.errors import InfrastructureError, WorkloadCrashed

PROJECT = ProjectId("demo-abcde")
LIMITS = Limits(memory_mib=256, pids=64, start_timeout_s=3.0)
AT = datetime(2026, 1, 1, tzinfo=UTC)
SERVER = """
import http from "node:http";
import { rmSync } from "node:fs";
rmSync(process.env.SOCKET, { force: true });
console.log("starting");
http.createServer((request, response) => {
  if (request.url === "/die") process.exit(3);
  if (request.url === "/eat") { const all = []; for (;;) all.push(Buffer.alloc(8e6, 1)); }
  response.end("WORD");
}).listen(process.env.SOCKET);
"""


@dataclass
class Bench:
    runtime: BubblewrapRuntime
    repositories: GitRepositories
    data_dir: Path
    run_dir: Path

    async def workload(self, name: str = "web", **files: str) -> Workload:
        changes: dict[str, str | None] = {"server/main.ts": SERVER.replace("WORD", "hello")}
        changes |= {path.replace("__", "/"): text for path, text in files.items()}
        new = NewCommit(parent=None, changes=changes, message="m", at=AT)
        return self.at(await self.repositories.commit(PROJECT, new), name)

    def at(self, commit: CommitId, name: str = "web") -> Workload:
        return Workload(
            id=WorkloadId(f"{PROJECT}.{name}.dev"),
            project=PROJECT,
            app=AppSlug("web"),
            app_path=".",
            purpose=Purpose.DEV,
            commit=commit,
            endpoint=EndpointId(f"{PROJECT}.dev"),
        )

    async def sh(self, workload: Workload, script: str, timeout_s: float = 20.0) -> str:
        command = Command(argv=("sh", "-c", f"{{ {script}; }} 2>&1; true"), timeout_s=timeout_s)
        return (await self.runtime.execute(workload.id, command)).stdout


class OneEndpoint:
    """As much of `Timelines` as a runtime asks for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def endpoint(self, endpoint: EndpointId) -> Endpoint:
        return Endpoint(
            id=endpoint,
            timeline=TimelineId("t"),
            directory=str(self._directory),
            compute=ComputeState.ASLEEP,
        )


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    data_dir = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    run_dir = data_dir / "run"
    (run_dir / "e").mkdir(parents=True)
    repositories = GitRepositories(data_dir / "repositories")
    await repositories.create(PROJECT)
    timelines = OneEndpoint(run_dir / "e")
    runtime = BubblewrapRuntime(
        data_dir,
        run_dir,
        repositories,
        timelines,
        LIMITS,  # type: ignore[arg-type]
    )
    yield Bench(runtime, repositories, data_dir, run_dir)
    await runtime.close()
    shutil.rmtree(data_dir)


async def get(status: WorkloadStatus, path: str = "/") -> str:
    transport = httpx.AsyncHTTPTransport(uds=status.socket)
    async with httpx.AsyncClient(transport=transport, timeout=5) as client:
        return (await client.get(f"http://app{path}")).text


async def until(bench: Bench, workload: Workload, state: WorkloadState) -> WorkloadStatus:
    """The kernel reports the end to the runtime's own watcher; we look until it has."""
    async with asyncio.timeout(10):
        while True:
            status = await bench.runtime.status(workload.id)
            if status.state is state:
                return status
            await asyncio.sleep(0.02)


async def appeared(name: str) -> None:
    while True:
        if name in {p.name() for p in psutil.Process().children(recursive=True)}:
            return
        await asyncio.sleep(0.02)


def kill_everything_named(*names: str) -> int:
    found = [p for p in psutil.Process().children(recursive=True) if p.name() in names]
    for process in found:
        process.kill()
    return len(found)


async def test_an_app_starts_and_answers_and_stops(bench: Bench) -> None:
    workload = await bench.workload()
    assert (await bench.runtime.status(workload.id)).state is WorkloadState.ABSENT
    status = await bench.runtime.start(workload)
    assert status.state is WorkloadState.AWAKE
    assert status.commit == workload.commit
    assert await get(status) == "hello"
    assert "starting" in await bench.runtime.logs(workload.id)
    await bench.runtime.stop(workload.id)
    assert (await bench.runtime.status(workload.id)).state is WorkloadState.STOPPED


async def test_starting_what_runs_changes_nothing(bench: Bench) -> None:
    workload = await bench.workload()
    first = await bench.runtime.start(workload)
    assert await bench.runtime.start(workload) == first


async def test_another_commit_is_served_after_start(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.start(workload)
    newer = await bench.workload(**{"server/main.ts": SERVER.replace("WORD", "newer")})
    assert await get(await bench.runtime.start(newer)) == "newer"


async def test_a_browser_file_changes_without_a_new_process(bench: Bench) -> None:
    first = await bench.runtime.start(await bench.workload(src__a_txt="1"))
    newer = await bench.workload(src__a_txt="2")
    second = await bench.runtime.start(newer)
    assert second.started_at == first.started_at
    assert second.commit == newer.commit
    assert (await bench.sh(newer, "cat /app/src/a_txt")).strip() == "2"


async def test_a_crash_at_start_carries_the_log(bench: Bench) -> None:
    workload = await bench.workload(**{"server/main.ts": "console.log('why'); process.exit(7)"})
    with pytest.raises(WorkloadCrashed) as crash:
        await bench.runtime.start(workload)
    assert "why" in crash.value.log
    assert "exit code 7" in crash.value.message
    assert (await bench.runtime.status(workload.id)).state is WorkloadState.CRASHED


async def test_an_app_that_never_answers_meets_its_deadline(bench: Bench) -> None:
    workload = await bench.workload(**{"server/main.ts": "setInterval(() => {}, 1000)"})
    with pytest.raises(WorkloadCrashed, match="did not answer"):
        await bench.runtime.start(workload)


async def test_an_answer_that_is_no_http_is_a_crash(bench: Bench) -> None:
    server = "import net from 'node:net';"
    server += "net.createServer(s => s.end('garbage\\r\\n')).listen(process.env.SOCKET)"
    workload = await bench.workload(**{"server/main.ts": server})
    with pytest.raises(WorkloadCrashed, match="no HTTP"):
        await bench.runtime.start(workload)
    assert (await bench.runtime.status(workload.id)).state is WorkloadState.CRASHED


async def test_a_start_that_is_given_up_leaves_no_process(bench: Bench) -> None:
    workload = await bench.workload(**{"server/main.ts": "setInterval(() => {}, 1000)"})
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bench.runtime.start(workload), 0.7)
    assert (await bench.runtime.status(workload.id)).state is WorkloadState.CRASHED
    names = [p.name() for p in psutil.Process().children(recursive=True)]
    assert "node" not in names


async def test_a_link_to_a_socket_of_the_host_is_never_followed(bench: Bench) -> None:
    async def secret(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()

    host = await asyncio.start_unix_server(secret, bench.run_dir / "host.sock")
    server = f"import fs from 'node:fs'; fs.symlinkSync('{bench.run_dir}/host.sock', "
    server += "process.env.SOCKET); setInterval(() => {}, 1000)"
    workload = await bench.workload(**{"server/main.ts": server})
    with pytest.raises(WorkloadCrashed, match="something else than a socket"):
        await bench.runtime.start(workload)
    host.close()


async def test_a_strict_umask_does_not_reach_the_sandbox(bench: Bench) -> None:
    before = os.umask(0o077)
    try:
        assert await get(await bench.runtime.start(await bench.workload())) == "hello"
    finally:
        os.umask(before)


async def test_an_app_that_dies_is_crashed_and_starts_again(bench: Bench) -> None:
    workload = await bench.workload()
    status = await bench.runtime.start(workload)
    with pytest.raises(httpx.TransportError):
        await get(status, "/die")
    crashed = await until(bench, workload, WorkloadState.CRASHED)
    assert "exit code 3" in crashed.explanation
    assert not crashed.killed
    assert await get(await bench.runtime.start(workload)) == "hello"


async def test_a_killed_app_starts_again(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.start(workload)
    kill_everything_named("node", "MainThread")
    assert (await until(bench, workload, WorkloadState.CRASHED)).killed
    assert await get(await bench.runtime.start(workload)) == "hello"


async def test_a_successor_finds_the_tree_and_runs_it(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.start(workload)
    await bench.runtime.close()
    timelines = OneEndpoint(bench.run_dir / "e")
    successor = BubblewrapRuntime(
        bench.data_dir,
        bench.run_dir,
        bench.repositories,
        timelines,
        LIMITS,  # type: ignore[arg-type]
    )
    assert (await successor.status(workload.id)).state is WorkloadState.STOPPED
    assert (await successor.execute(workload.id, Command(argv=("true",)))).exit_code == 0
    assert await get(await successor.start(workload)) == "hello"
    await successor.close()


async def test_the_sandbox_has_no_network_and_no_host(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.prepare(workload)
    assert "lo" in await bench.sh(workload, "cat /proc/net/dev")
    script = "node -e \"fetch('http://1.1.1.1').catch(e => console.log('no', e.cause.code))\""
    assert "no ENETUNREACH" in await bench.sh(workload, script)
    assert (await bench.sh(workload, "ls /root /home /work /etc/shadow")).count("No such") == 4
    assert str(os.getpid()) not in (await bench.sh(workload, "ls /proc")).split()
    assert (await bench.sh(workload, "id -u")).strip() != "0"


async def test_the_tree_cannot_be_written(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.prepare(workload)
    assert "Read-only" in await bench.sh(workload, "echo x > /app/server/main.ts")
    assert "Read-only" in await bench.sh(workload, "echo x > /app/new")


async def test_a_command_reports_exit_code_and_both_outputs(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.prepare(workload)
    script = 'echo out; echo err >&2; echo "$EXTRA"; exit 5'
    command = Command(argv=("sh", "-c", script), env={"EXTRA": "a b"})
    result = await bench.runtime.execute(workload.id, command)
    assert (result.exit_code, result.stderr) == (5, "err\n")
    assert result.stdout == "out\na b\n"


async def test_npm_can_be_named_like_any_command(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.prepare(workload)
    result = await bench.runtime.execute(workload.id, Command(argv=("npm", "--version")))
    assert (result.exit_code, result.stderr) == (0, "")


async def test_a_command_past_its_deadline_is_ended_with_its_children(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.prepare(workload)
    command = Command(argv=("sh", "-c", "echo begun; sleep 61 & sleep 61"), timeout_s=0.5)
    result = await bench.runtime.execute(workload.id, command)
    assert result.exit_code is None
    assert result.stdout == "begun\n"
    names = [" ".join(p.cmdline()) for p in psutil.Process().children(recursive=True)]
    assert not [n for n in names if "sleep 61" in n]


async def test_a_command_that_somebody_kills_says_nothing_of_the_app(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.prepare(workload)
    running = asyncio.create_task(bench.sh(workload, "exec sleep 61"))
    async with asyncio.timeout(10):
        await appeared("sleep")
        kill_everything_named("sleep")
        with pytest.raises(InfrastructureError, match="killed from outside"):
            await running


async def test_deleting_a_workload_ends_its_commands_and_their_groups(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.prepare(workload)
    running = asyncio.create_task(bench.sh(workload, "exec sleep 61"))
    async with asyncio.timeout(10):
        await appeared("sleep")
        await bench.runtime.delete(workload.id)
        with pytest.raises(InfrastructureError):
            await running
    assert not [p for p in ROOT.glob(f"*/{bench.run_dir.name}/{workload.id}*")]


async def test_a_bundled_app_serves_what_a_command_wrote_to_its_dist(bench: Bench) -> None:
    server = """
import http from "node:http";
import { readFileSync } from "node:fs";
const found = readFileSync("dist/index.html", "utf8");
http.createServer((request, response) => {
  response.end(process.argv[2] + " " + found.includes("not been bundled") + " " +
    readFileSync("dist/index.html", "utf8"));
}).listen(process.env.SOCKET);
"""
    workload = await bench.workload(**{"server/main.ts": server})
    assert workload.commit
    bundled = bench.at(workload.commit).model_copy(update={"bundled": True})
    status = await bench.runtime.start(bundled)
    await bench.sh(bundled, "echo pages > dist/index.html")
    assert await get(status) == "--production true pages\n"
    await bench.runtime.delete(bundled.id)
    assert list((bench.data_dir / "checkouts").iterdir()) == []


async def test_output_is_bounded(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.prepare(workload)
    command = Command(argv=("sh", "-c", "head -c 3000000 /dev/zero"), max_output_bytes=1000)
    result = await bench.runtime.execute(workload.id, command)
    assert (result.exit_code, len(result.stdout)) == (0, 1000)


@pytest.mark.skipif(not describe_cgroups(), reason="no writable cgroups: run as root")
async def test_memory_over_the_limit_ends_only_that_app(bench: Bench) -> None:
    greedy = await bench.workload("greedy")
    modest = await bench.workload("modest")
    status = await bench.runtime.start(greedy)
    other = await bench.runtime.start(modest)
    with pytest.raises(httpx.TransportError):
        await get(status, "/eat")
    crashed = await until(bench, greedy, WorkloadState.CRASHED)
    assert "more memory" in crashed.explanation
    assert not crashed.killed
    assert await get(other) == "hello"


@pytest.mark.skipif(not describe_cgroups(), reason="no writable cgroups: run as root")
async def test_a_fork_bomb_stays_inside(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.prepare(workload)
    output = await bench.sh(workload, "for i in $(seq 200); do sleep 5 & done", timeout_s=10)
    assert "fork" in output.lower() or "resource" in output.lower()


async def test_delete_leaves_nothing(bench: Bench) -> None:
    workload = await bench.workload()
    await bench.runtime.start(workload)
    await bench.runtime.delete(workload.id)
    await bench.runtime.delete(workload.id)
    assert (await bench.runtime.status(workload.id)).state is WorkloadState.ABSENT
    assert list((bench.data_dir / "checkouts").iterdir()) == []
    assert list((bench.run_dir / "h").iterdir()) == []
    assert list((bench.run_dir / "s").iterdir()) == []
    assert not [p for p in ROOT.glob(f"*/{bench.run_dir.name}/{workload.id}*")]
