"""What a runtime runs: one app, at one commit, on one database endpoint."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from fleet.domain.frozen import Frozen
from fleet.domain.ids import AppSlug, CommitId, EndpointId, ProjectId, WorkloadId


class Purpose(StrEnum):
    DEV = "dev"  # the preview, long-lived, seen through the gateway
    TWIN = "twin"  # a throwaway for the gate and the producer's live tools


class Workload(Frozen):
    """Desired state. `app_path` is the app's folder in the repository ("." is the root).

    `bundled`: the pages are served from the app's own `dist`, which whoever runs it fills (see
    `fleet.verification.bundle`); a page is then a few requests instead of one per module.
    """

    id: WorkloadId
    project: ProjectId
    app: AppSlug
    app_path: str
    purpose: Purpose
    commit: CommitId
    endpoint: EndpointId
    bundled: bool = False


class WorkloadState(StrEnum):
    ABSENT = "absent"
    STOPPED = "stopped"  # tree present, no process
    STARTING = "starting"
    AWAKE = "awake"
    CRASHED = "crashed"  # process ended by itself, or never became ready


class WorkloadStatus(Frozen):
    """Observed state. `socket` is the path of the app's HTTP unix socket ("" unless awake).

    `killed`: it was ended from outside, by nothing that the app did or used too much of.
    """

    id: WorkloadId
    state: WorkloadState
    commit: CommitId | None = None
    socket: str = ""
    started_at: datetime | None = None
    explanation: str = ""
    killed: bool = False


class Command(Frozen):
    """`argv[0]` may be "node", "npm" or "npx"-less binaries under node_modules/.bin by name.

    `env` adds to the sandbox's own (DATABASE_URL, HOME, PATH, NODE_ENV…). Without `database` it
    sees no database, and may run before the workload's endpoint exists.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = {}
    database: bool = True
    timeout_s: float = 60.0
    max_output_bytes: int = 256_000


class CommandResult(Frozen):
    """`exit_code` is None when the deadline ended it. Output is bounded; bad bytes are replaced."""

    exit_code: int | None
    stdout: str
    stderr: str
    elapsed_s: float


class PackageManifest(Frozen):
    """An app's package.json and package-lock.json, as texts."""

    package: str
    lock: str


class PackageChange(Frozen):
    """`add` holds "name" or "name@version"; `dev` puts them among the development packages."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    dev: bool = False
