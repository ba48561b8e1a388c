"""The shared, read-only `node_modules` store: one entry per lock file, built outside sandboxes.

Install scripts are off, so nothing of a package runs here; Vite's bundled dependencies are made
inside a jail. An entry appears whole, by one rename, and is never written again.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from fleet.drivers.bubblewrap.cgroup import Cgroup, Limits
from fleet.drivers.bubblewrap.jail import APP_UID, Jail, jailed_uid
from fleet.drivers.bubblewrap.node import INSIDE, INSIDE_BIN, INSIDE_NPM, NODE_FOLDER
from fleet.drivers.bubblewrap.npm import run_npm
from fleet.drivers.bubblewrap.packages import (
    PREBUNDLE_FILES,
    entry_name,
    prebundle_script,
    refuse_foreign_sources,
)
from fleet.errors import InfrastructureError, WorkloadCrashed

log = structlog.get_logger()

INSTALL_TIMEOUT_S = 300
PREBUNDLE_TIMEOUT_S = 120
# npm's codes for a package.json or lock file that is wrong; anything else is not the app's fault.
_APP_FAULTS = ("EUSAGE", "E404", "ETARGET", "EINTEGRITY", "EJSONPARSE", "ERESOLVE", "EBADPLATFORM")
_MAX_LOG_CHARS = 2_000
LEFTOVER_AGE_S = 3_600
_UNFINISHED = (".making-", ".staged-", ".changing-")


class NodeStore:
    def __init__(self, root: Path, group: str, limits: Limits) -> None:
        self._root = root
        self._group = group
        self._limits = limits

    async def modules_for(self, app: Path) -> Path | None:
        """The `node_modules` of the app in that folder; None when it has no lock file."""
        if not (app / "package-lock.json").exists():
            return None
        entry = self._root / await asyncio.to_thread(entry_name, app)
        if not entry.exists():
            await asyncio.to_thread(refuse_foreign_sources, app)
            await asyncio.to_thread(self._build, app, entry)
        return entry / "node_modules"

    def _build(self, app: Path, entry: Path) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        self._root.chmod(0o755)
        with _exclusive(self._root / f".{entry.name}.lock"):
            if entry.exists():
                return
            began = time.monotonic()
            remove_leftovers(self._root)
            making = Path(tempfile.mkdtemp(prefix=".making-", dir=self._root))
            try:
                making.chmod(0o755)
                self._install(app, making)
                if prebundle_script(app):
                    self._prebundle(app, making / "node_modules", entry.name)
                making.rename(entry)
            finally:
                shutil.rmtree(making, ignore_errors=True)
            elapsed = round(time.monotonic() - began, 1)
            log.info("packages installed", store=entry.name, elapsed_s=elapsed)

    def _install(self, app: Path, making: Path) -> None:
        # Never the project's .npmrc: npm would expand our environment into addresses it names.
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(app / name, making / name)
        done = run_npm(making, ("ci", "--prefer-offline"), INSTALL_TIMEOUT_S)
        if done.code == 0:
            (making / "node_modules").mkdir(exist_ok=True)
            return
        text = done.text[-_MAX_LOG_CHARS:]
        if not any(sign in text for sign in _APP_FAULTS):
            raise InfrastructureError(
                "The app's packages could not be fetched: " + text.strip()[:300],
                action="Check the disk and that the npm registry can be reached.",
            )
        raise WorkloadCrashed("`npm ci` refuses package.json and its lock file.", log=text)

    def _prebundle(self, app: Path, modules: Path, name: str) -> None:
        """Runs the app's own script at /app, as the app will run; it writes Vite's cache only."""
        uid = jailed_uid(APP_UID)
        cache = modules / ".vite"
        cache.mkdir(mode=0o755, exist_ok=True)
        os.chown(cache, uid, uid if os.geteuid() == 0 else -1)
        group = Cgroup(self._group, f"prebundle.{name}")
        group.make(self._limits)
        try:
            with tempfile.TemporaryDirectory(prefix=".staged-", dir=self._root) as staged:
                Path(staged).chmod(0o755)
                jail = _prebundle_jail(uid, _stage(app, Path(staged)), modules)
                command = ["node", INSIDE_NPM, "run", "--silent", "prebundle"]
                argv, environment = group.enter(jail.argv(command))
                done = subprocess.run(
                    argv,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=PREBUNDLE_TIMEOUT_S,
                    check=False,
                )
        except subprocess.TimeoutExpired as error:
            raise WorkloadCrashed(
                f"The script `prebundle` did not end within {PREBUNDLE_TIMEOUT_S} s."
            ) from error
        finally:
            group.remove()
        if done.returncode != 0:
            text = (done.stderr + done.stdout)[-_MAX_LOG_CHARS:]
            raise WorkloadCrashed("The script `prebundle` fails.", log=text)


def _prebundle_jail(uid: int, staged: Path, modules: Path) -> Jail:
    return Jail(
        uid=uid,
        env={
            "PATH": f"/app/node_modules/.bin:{INSIDE_BIN}:/usr/bin:/bin",
            "HOME": "/tmp",
            "NODE_ENV": "development",
        },
        binds={"/app/node_modules/.vite": str(modules / ".vite")},
        read_only={
            "/app": str(staged),
            "/app/node_modules": str(modules),
            INSIDE: str(NODE_FOLDER),
        },
        directory="/app",
    )


def _stage(app: Path, into: Path) -> Path:
    """The files that `prebundle` is shown: what the entry's name is made of, nothing more."""
    for name in ("package.json", "package-lock.json", *PREBUNDLE_FILES):
        if (app / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(app / name, into / name)
    (into / "node_modules").mkdir()
    return into


def remove_leftovers(root: Path) -> None:
    """What a killed process had in the making; nothing takes that long."""
    before = time.time() - LEFTOVER_AGE_S
    for prefix in _UNFINISHED:
        for folder in root.glob(f"{prefix}*"):
            with suppress(FileNotFoundError):  # its own maker has removed it
                if folder.stat().st_mtime < before:
                    shutil.rmtree(folder)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """One builder per entry over all processes; the kernel frees a dead holder's lock."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
