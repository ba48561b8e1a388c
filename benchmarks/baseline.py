"""The same stages by hand and cold, one after the other, as a person with a terminal would."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from benchmarks.figure import Figure
from catalog.catalog import scaffold_files
from fleet.drivers.bubblewrap.node import NODE_FOLDER
from fleet.drivers.chromium.browser import find_chromium
from fleet.drivers.postgres.timelines.compute import INSTALLATION

ROUNDS = 3
TIMEOUT_S = 300
NOBODY = 65_534  # initdb wants a uid that has a name
_POSTGRES = INSTALLATION / "bin"


def measure_by_hand() -> list[Figure]:
    stages: dict[str, list[float]] = {}
    totals = []
    for _ in range(ROUNDS):
        timed = _by_hand()
        totals.append(sum(timed.values()))
        for name, seconds in timed.items():
            stages.setdefault(name, []).append(seconds)
    return [
        Figure(name="the same stages by hand, cold", unit="s", runs=tuple(totals)),
        *(Figure(name=f"  {name}", unit="s", runs=tuple(runs)) for name, runs in stages.items()),
    ]


def _by_hand() -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="af-hand-", dir="/tmp"))
    app, data = folder / "app", folder / "data"
    for path, text in scaffold_files().items():
        (app / path).parent.mkdir(parents=True, exist_ok=True)
        (app / path).write_text(text)
    timed: dict[str, float] = {}
    servers: list[subprocess.Popen[bytes]] = []
    env = {
        "PATH": f"{NODE_FOLDER / 'bin'}:{app / 'node_modules' / '.bin'}:/usr/bin:/bin",
        "NODE_USE_SYSTEM_CA": "1",
        "HOME": str(folder),
        "DATABASE_URL": f"postgresql://app@{str(folder).replace('/', '%2F')}/postgres",
        "SOCKET": str(folder / "http.sock"),
        "NODE_ENV": "development",
    }
    try:
        _stage(timed, "npm ci", lambda: _run(_npm("ci"), app, env))
        _stage(timed, "initdb and start", lambda: servers.append(_database(folder, data)))
        _stage(timed, "dev server", lambda: servers.append(_dev_server(app, env)))
        _stage(timed, "tsc", lambda: _run([_bin(app, "tsc"), "--noEmit"], app, env))
        _stage(timed, "vitest", lambda: _run([_bin(app, "vitest"), "run"], app, env))
        _stage(timed, "a new browser", lambda: _browse(folder))
    finally:
        for server in reversed(servers):
            server.terminate()
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
    return timed


def _stage(timed: dict[str, float], name: str, work: Callable[[], object]) -> None:
    began = time.monotonic()
    work()
    timed[name] = time.monotonic() - began


def _bin(app: Path, name: str) -> str:
    return str(app / "node_modules" / ".bin" / name)


def _npm(*arguments: str) -> list[str]:
    cli = NODE_FOLDER / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(NODE_FOLDER / "bin" / "node"), str(cli), *arguments, "--no-audit", "--no-fund"]


def _run(command: list[str], folder: Path, env: dict[str, str]) -> None:
    subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **env},
        check=True,
        capture_output=True,
        timeout=TIMEOUT_S,
    )


def _database(folder: Path, data: Path) -> subprocess.Popen[bytes]:
    data.mkdir()
    user: list[str] = []
    if os.geteuid() == 0:
        folder.chmod(0o777)
        os.chown(data, NOBODY, NOBODY)
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    initdb = [*user, str(_POSTGRES / "initdb"), "-D", str(data), "-U", "app", "--auth=trust"]
    subprocess.run(initdb, check=True, capture_output=True, timeout=TIMEOUT_S)
    server = subprocess.Popen(
        [*user, str(_POSTGRES / "postgres"), "-D", str(data), "-k", str(folder), "-h", ""],
        stderr=subprocess.DEVNULL,
    )
    ready = [str(_POSTGRES / "pg_isready"), "-h", str(folder), "-t", "1", "-q"]
    _until(lambda: subprocess.run(ready, check=False).returncode == 0)
    return server


def _dev_server(app: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [str(NODE_FOLDER / "bin" / "node"), "server/main.ts"],
        cwd=app,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    transport = httpx.HTTPTransport(uds=env["SOCKET"])

    def answers() -> bool:
        try:
            return httpx.Client(transport=transport).get("http://app/").status_code == 200
        except httpx.TransportError:
            return False

    _until(answers)
    return server


def _until(done: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + TIMEOUT_S
    while not done():
        if time.monotonic() > give_up_at:
            raise TimeoutError("the stage did not finish")
        time.sleep(0.02)


def _browse(folder: Path) -> None:
    command = [
        str(find_chromium()),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        f"--user-data-dir={folder / 'profile'}",
        f"--screenshot={folder / 'page.png'}",
        "data:text/html,<h1>page</h1>",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
