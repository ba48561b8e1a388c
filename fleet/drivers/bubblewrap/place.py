"""Where a workload's things lie on disk, and the jail that shows them to it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from fleet.domain.ids import WorkloadId
from fleet.domain.workload import Workload
from fleet.drivers.bubblewrap.jail import APP_UID, Jail, jailed_uid
from fleet.drivers.bubblewrap.node import INSIDE, INSIDE_BIN, NODE_FOLDER
from fleet.errors import InvalidInput, WorkloadCrashed

_APP = "/app"
_HTTP = "/run/app"
_SOCKET = "http.sock"
_DIST = "dist"
# Until the bundle is there; whoever asked for it reports why it is not.
_NO_PAGES = "<!doctype html><title>No pages</title>The pages have not been bundled.\n"
_DATABASE = "/run/postgres"
# The folder's name percent-encoded is the host, which libpq and node-postgres both understand.
_DATABASE_URL = "postgresql://app@%2Frun%2Fpostgres/app"


@dataclass(frozen=True)
class Place:
    """`tree` is the checkout; `http` is the folder the app makes its socket in, `dist` the one that
    a bundled app's pages are written to and served from.

    `socket` is a hard link to that socket where the app cannot reach it: the app owns `http`, and
    could put there a symbolic link to any socket of the host for us to connect to.
    """

    tree: Path
    note: Path
    log: Path
    http: Path
    dist: Path
    socket: Path

    @classmethod
    def of(cls, data_dir: Path, run_dir: Path, workload: WorkloadId) -> Place:
        if "/" in workload or workload.startswith("."):
            raise InvalidInput(f"{workload!r} is not a workload id.")
        digest = hashlib.sha256(workload.encode()).hexdigest()[:16]
        checkouts = data_dir / "checkouts"
        return cls(
            tree=checkouts / workload,
            note=checkouts / f"{workload}.json",
            log=checkouts / f"{workload}.log",
            http=run_dir / "h" / digest,
            dist=checkouts / f"{workload}.dist",
            socket=run_dir / "s" / f"{digest}.sock",
        )

    def app(self, workload: Workload) -> Path:
        return self.tree / workload.app_path

    def make_http(self) -> None:
        """Empty and owned by the app: a socket left by a killed process must not answer."""
        self.withdraw()
        remove_folder(self.http)
        self.http.mkdir(parents=True)
        _give_to_app(self.http)

    def make_dist(self) -> None:
        """Empty but for a page: the app looks for one when it starts, and bundling takes longer."""
        remove_folder(self.dist)
        self.dist.mkdir(parents=True)
        index = self.dist / "index.html"
        index.write_text(_NO_PAGES)
        _give_to_app(index)
        _give_to_app(self.dist)

    def publish(self) -> Path:
        """Links the app's socket to where others connect. FileNotFoundError until there is one."""
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.withdraw()
        os.link(self.http / _SOCKET, self.socket, follow_symlinks=False)
        if not stat.S_ISSOCK(self.socket.lstat().st_mode):
            self.withdraw()
            raise WorkloadCrashed("The app made something else than a socket at $SOCKET.")
        return self.socket

    def withdraw(self) -> None:
        self.socket.unlink(missing_ok=True)

    def write_note(self, workload: Workload) -> None:
        """Whole or not at all: a torn note would hide the workload from every sweep."""
        making = self.note.with_suffix(".making")
        making.write_text(workload.model_dump_json())
        making.replace(self.note)

    def remove(self) -> None:
        self.withdraw()
        for folder in (self.tree, self.http, self.dist):
            remove_folder(folder)
        index = self.tree.with_name(f"{self.tree.name}.index")  # see Repositories.materialise
        making = self.note.with_suffix(".making")
        for file in (self.note, making, self.log, self.log.with_suffix(".1"), index):
            file.unlink(missing_ok=True)

    def jail(
        self, workload: Workload, modules: Path | None, database: str | None, *, serves: bool
    ) -> Jail:
        """`database` is the endpoint's folder. `serves`: the app's own process, which makes a
        socket; a command beside it does not."""
        read_only = {_APP: str(self.tree), INSIDE: str(NODE_FOLDER)}
        inside = _APP if workload.app_path == "." else f"{_APP}/{workload.app_path}"
        if modules is not None:
            (self.app(workload) / "node_modules").mkdir(exist_ok=True)
            read_only[f"{inside}/node_modules"] = str(modules)
        binds = {}
        env = {
            "PATH": f"{inside}/node_modules/.bin:{INSIDE_BIN}:/usr/bin:/bin",
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "NODE_ENV": "development",
        }
        if database is not None:
            binds[_DATABASE] = database
            env["DATABASE_URL"] = _DATABASE_URL
        if serves:
            binds[_HTTP] = str(self.http)
            env["SOCKET"] = f"{_HTTP}/{_SOCKET}"
        if workload.bundled:
            (self.app(workload) / _DIST).mkdir(exist_ok=True)
            binds[f"{inside}/{_DIST}"] = str(self.dist)
        return Jail(
            uid=jailed_uid(APP_UID),
            env=env,
            binds=binds,
            read_only=read_only,
            directory=inside,
        )


def _give_to_app(path: Path) -> None:
    uid = jailed_uid(APP_UID)
    os.chown(path, uid, uid if os.geteuid() == 0 else -1)


def remove_folder(folder: Path) -> None:
    """Absent is fine; a folder that cannot be removed is an error, never a silent leftover."""
    if folder.exists():
        shutil.rmtree(folder)
