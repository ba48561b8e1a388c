"""Where a workload's things lie on disk, and the jail that shows them to it."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from fleet.domain.ids import WorkloadId
from fleet.domain.workload import Workload
from fleet.drivers.bubblewrap.jail import APP_UID, Jail, jailed_uid
from fleet.drivers.bubblewrap.node import INSIDE, INSIDE_BIN, NODE_FOLDER
from fleet.errors import InvalidInput

_APP = "/app"
_HTTP = "/run/app"
_DATABASE = "/run/postgres"
# The folder's name percent-encoded is the host, which libpq and node-postgres both understand.
_DATABASE_URL = "postgresql://app@%2Frun%2Fpostgres/app"


@dataclass(frozen=True)
class Place:
    """`tree` is the checkout; `http` holds the one socket the app listens on."""

    tree: Path
    note: Path
    log: Path
    http: Path

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
        )

    @property
    def socket(self) -> Path:
        return self.http / "http.sock"

    def app(self, workload: Workload) -> Path:
        return self.tree / workload.app_path

    def make_http(self) -> None:
        """Empty and owned by the app: a socket left by a killed process must not answer."""
        shutil.rmtree(self.http, ignore_errors=True)
        self.http.mkdir(parents=True)
        uid = jailed_uid(APP_UID)
        os.chown(self.http, uid, uid if os.geteuid() == 0 else -1)

    def remove(self) -> None:
        for folder in (self.tree, self.http):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.note, self.log, self.log.with_suffix(".1")):
            file.unlink(missing_ok=True)

    def jail(self, workload: Workload, modules: Path | None, database: str) -> Jail:
        read_only = {_APP: str(self.tree), INSIDE: str(NODE_FOLDER)}
        inside = _APP if workload.app_path == "." else f"{_APP}/{workload.app_path}"
        if modules is not None:
            (self.app(workload) / "node_modules").mkdir(exist_ok=True)
            read_only[f"{inside}/node_modules"] = str(modules)
        return Jail(
            uid=jailed_uid(APP_UID),
            env={
                "PATH": f"{inside}/node_modules/.bin:{INSIDE_BIN}:/usr/bin:/bin",
                "HOME": "/tmp",
                "LANG": "C.UTF-8",
                "NODE_ENV": "development",
                "SOCKET": f"{_HTTP}/http.sock",
                "DATABASE_URL": _DATABASE_URL,
            },
            binds={_HTTP: str(self.http), _DATABASE: database},
            read_only=read_only,
            directory=inside,
        )
