"""What the product asks of the world. One contract-test body per port runs on every driver.

All calls are coroutines. All are idempotent where a retry after a crash could repeat them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from fleet.domain.build import Build, BuildState, Message, Step, StepKind, Task, TaskState
from fleet.domain.chat import ChatMessage, Completion, CompletionRequest, Usage
from fleet.domain.event import Event, NewEvent
from fleet.domain.frozen import Frozen
from fleet.domain.ids import (
    BuildId,
    CheckpointId,
    CommitId,
    EndpointId,
    OwnerId,
    ProjectId,
    TaskId,
    TimelineId,
    WorkloadId,
)
from fleet.domain.lease import Lease
from fleet.domain.page import PageReport, PageVisit
from fleet.domain.plan import Plan
from fleet.domain.project import Owner, Project, ProjectState, Spec
from fleet.domain.repository import NewCommit, TreeEntry
from fleet.domain.resource import Resource, ResourceKind
from fleet.domain.timeline import Checkpoint, Endpoint, Migration, SqlResult, Timeline
from fleet.domain.verdict import CheckResult, GateNotice, GateRequest, Verdict
from fleet.domain.workload import (
    Command,
    CommandResult,
    PackageChange,
    PackageManifest,
    Workload,
    WorkloadStatus,
)


class NewStep(Frozen):
    """A finished step before the store numbers it; see `Step` for the meaning of the fields."""

    task: TaskId | None
    kind: StepKind
    title: str
    messages: tuple[ChatMessage, ...] = ()
    writes: dict[str, str | None] = {}
    facts: dict[str, JsonValue] = {}
    usage: Usage = Usage()
    elapsed_s: float = 0.0


class RecordedVerdict(Frozen):
    """A gate run's verdict as evidence; `attempt` counts from 1 within the task."""

    task: TaskId
    attempt: int
    verdict: Verdict
    at: datetime


class Spending(Frozen):
    """What an owner's builds spent; `wall_s` sums the time of their steps."""

    steps: int = 0
    usage: Usage = Usage()
    wall_s: float = 0.0


class Totals(Frozen):
    """The whole platform's. `spent` counts from its first day, forgotten projects included."""

    projects: int
    builds: dict[BuildState, int]
    spent: Spending


class Store(Protocol):
    """The record. Writes that belong to a build carry its lease and raise `LeaseLost` when a
    successor holds a newer token. Unknown ids raise `NotFound`. Reads return frozen values."""

    # Owners and tokens. Only SHA-256 hashes of tokens are kept.
    async def ensure_owner(self, name: str) -> Owner: ...
    async def add_token(self, owner: OwnerId, token_hash: str, label: str) -> None: ...
    async def owner_of_token(self, token_hash: str) -> Owner | None: ...

    # Projects.
    async def create_project(
        self, owner: OwnerId, project: ProjectId, title: str
    ) -> Project: ...  # Conflict if taken; appends PROJECT_CREATED
    async def project(self, project: ProjectId) -> Project: ...
    async def projects(self, owner: OwnerId | None = None) -> list[Project]: ...
    async def set_project_title(self, lease: Lease, project: ProjectId, title: str) -> None: ...
    async def set_project_head(self, lease: Lease, project: ProjectId, head: CommitId) -> None: ...
    async def set_project_spec(self, lease: Lease, project: ProjectId, spec: Spec) -> None: ...
    async def set_project_state(self, project: ProjectId, state: ProjectState) -> None: ...
    async def forget_project(self, project: ProjectId) -> None: ...  # every row but the ids' past

    # Messages and builds. Posting writes message, queued build and events in one transaction.
    async def post_message(
        self, project: ProjectId, text: str, model: str | None
    ) -> tuple[Message, Build]: ...
    async def build(self, build: BuildId) -> Build: ...
    async def builds(self, project: ProjectId) -> list[Build]: ...  # oldest first
    async def newest_builds(self, owner: OwnerId) -> list[Build]: ...  # one a project
    async def unfinished_builds(self) -> list[Build]: ...

    # Claims the oldest build whose project has no other unfinished build that is older and whose
    # lease is free or expired; fair between owners (the owner with the fewest live leases first,
    # then the longest waiting). The lease key is "build:<id>". None when there is nothing to do.
    async def claim_build(self, holder: str, ttl: timedelta) -> tuple[Build, Lease] | None: ...
    async def advance_build(
        self, lease: Lease, build: BuildId, state: BuildState, explanation: str = ""
    ) -> (
        Build
    ): ...  # illegal move: Conflict; the same state again: no change; sets started/finished, and
    # a final state appends BUILD_FINISHED with it
    async def save_plan(
        self, lease: Lease, build: BuildId, plan: Plan, base: CommitId | None
    ) -> list[Task]: ...  # also creates the tasks, pending; again with the same plan: no change
    async def set_build_commit(self, lease: Lease, build: BuildId, commit: CommitId) -> None: ...
    async def tasks(self, build: BuildId) -> list[Task]: ...  # by position
    async def move_task(
        self, lease: Lease, task: TaskId, state: TaskState, attempts: int
    ) -> Task: ...
    # Adds its usage to the build and to what the owner spent. `after` is the number of the last
    # step the caller knows: the same step there already is answered, another one is an
    # InfrastructureError (the record is ahead of its writer: read it again).
    async def append_step(
        self, lease: Lease, build: BuildId, step: NewStep, after: int | None = None
    ) -> Step: ...
    async def steps(self, build: BuildId) -> list[Step]: ...
    async def record_verdict(
        self, lease: Lease, task: TaskId, attempt: int, verdict: Verdict
    ) -> None: ...  # the same (task, attempt) again: no change
    async def verdicts(self, build: BuildId) -> list[RecordedVerdict]: ...

    # By content: the key says what was judged (see `fleet.verification.memory`).
    async def remember_verdict(self, project: ProjectId, key: str, verdict: Verdict) -> None: ...
    async def remembered_verdict(self, project: ProjectId, key: str) -> Verdict | None: ...

    # Budgets. `continue_build` queues a build that ran out of budget again, with a fresh one:
    # Conflict unless it is `out_of_budget` and its project's newest. Its record is kept.
    # Spending is kept by the minute, and survives the projects it was for.
    async def continue_build(self, build: BuildId) -> Build: ...
    async def owner_spending(self, owner: OwnerId, since: datetime) -> Spending: ...
    async def totals(self) -> Totals: ...

    async def add_checkpoint(self, checkpoint: Checkpoint) -> None: ...  # again: no change
    async def checkpoints(self, project: ProjectId) -> list[Checkpoint]: ...  # oldest first
    async def drop_checkpoint(self, checkpoint: CheckpointId) -> None: ...  # absent: no-op

    # Events, numbered per project without gaps.
    async def append_event(
        self, project: ProjectId, build: BuildId | None, event: NewEvent
    ) -> Event: ...
    async def events(self, project: ProjectId, after: int, limit: int = 500) -> list[Event]: ...
    async def last_event(self, project: ProjectId) -> int: ...  # its number
    async def wait_for_events(
        self, project: ProjectId, after: int, timeout: timedelta
    ) -> bool: ...  # True as soon as an event numbered above `after` exists (LISTEN/NOTIFY)
    async def wait_for_work(
        self, timeout: timedelta
    ) -> bool: ...  # True when builds may be claimable

    # Leases. Acquire returns None while another holder's lease lives; the token always grows.
    async def acquire_lease(self, key: str, holder: str, ttl: timedelta) -> Lease | None: ...
    async def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease: ...  # LeaseLost
    async def release_lease(self, lease: Lease) -> None: ...
    async def release_leases_of(self, holder: str) -> int: ...  # a holder known to be dead

    # Inventory: a row before something is created, gone only after the thing is gone.
    async def register_resource(
        self, project: ProjectId, kind: ResourceKind, name: str, scope: str
    ) -> None: ...
    async def drop_resource(self, kind: ResourceKind, name: str) -> None: ...
    async def resources(
        self, project: ProjectId | None = None, scope: str | None = None
    ) -> list[Resource]: ...

    async def ping(self) -> None: ...
    async def close(self) -> None: ...


class Timelines(Protocol):
    """Databases. Database `app`, role `app`. Ids are unique over the platform's life."""

    async def create(self, timeline: TimelineId) -> Timeline: ...  # clone of the template
    async def branch(self, source: TimelineId, timeline: TimelineId) -> Timeline: ...  # live or not
    async def delete(self, timeline: TimelineId) -> None: ...  # also its compute; absent: no-op
    async def timelines(self) -> list[TimelineId]: ...

    async def point(self, endpoint: EndpointId, timeline: TimelineId) -> Endpoint: ...  # upsert
    async def endpoint(self, endpoint: EndpointId) -> Endpoint: ...  # NotFound
    async def endpoints(self) -> list[Endpoint]: ...
    async def remove_endpoint(self, endpoint: EndpointId) -> None: ...  # absent: no-op
    async def wake(self, endpoint: EndpointId) -> None: ...  # single flight
    async def suspend(self, endpoint: EndpointId) -> None: ...

    # As the app's role, waking the compute if needed. SqlFailed carries SQLSTATE and hint.
    async def query(
        self, endpoint: EndpointId, sql: str, *, read_only: bool = True, max_rows: int = 100
    ) -> SqlResult: ...
    # Applies the pending ones in number order, each in a transaction, recorded in
    # appfleet.migrations (number, name, sha256, applied_at). Returns the paths applied.
    # MigrationFailed: a failing statement, two files with one number, an edited applied file.
    async def migrate(self, endpoint: EndpointId, migrations: Sequence[Migration]) -> list[str]: ...
    async def tables(self, endpoint: EndpointId) -> dict[str, list[str]]: ...  # public: columns
    async def start(self) -> None: ...  # template, listeners for every endpoint on disk
    async def close(self) -> None: ...


class Runtime(Protocol):
    """Runs apps. Methods raise `WorkloadCrashed` for the app's faults,
    `InfrastructureError` for anything else."""

    async def prepare(self, workload: Workload) -> None: ...  # tree at the commit, node_modules
    async def start(self, workload: Workload) -> WorkloadStatus: ...  # prepare, run, wait ready
    async def execute(self, workload: WorkloadId, command: Command) -> CommandResult: ...
    async def status(self, workload: WorkloadId) -> WorkloadStatus: ...  # ABSENT, never NotFound
    async def workloads(self) -> list[WorkloadStatus]: ...
    async def logs(self, workload: WorkloadId, lines: int = 200) -> str: ...
    # npm resolves outside any sandbox with install scripts off; `prepare` then builds the store.
    # InvalidInput for a name or version that does not exist or is not allowed: the model reads it.
    async def change_packages(
        self, manifest: PackageManifest, change: PackageChange
    ) -> PackageManifest: ...
    async def stop(self, workload: WorkloadId) -> None: ...
    async def delete(self, workload: WorkloadId) -> None: ...
    async def close(self) -> None: ...


class Repositories(Protocol):
    """One repository per project; branch `main` is what serves, `build/<id>` what is in work."""

    async def create(self, project: ProjectId) -> None: ...  # exists: no-op
    async def head(self, project: ProjectId, branch: str = "main") -> CommitId | None: ...
    async def commit(self, project: ProjectId, new: NewCommit) -> CommitId: ...  # moves no branch
    async def advance(
        self, project: ProjectId, branch: str, commit: CommitId, expected: CommitId | None
    ) -> None: ...  # Conflict unless the branch is at `expected` or already at `commit`
    async def tree(self, project: ProjectId, commit: CommitId) -> list[TreeEntry]: ...
    async def tree_id(
        self, project: ProjectId, commit: CommitId
    ) -> str: ...  # the same for commits with the same files; NotFound
    async def read(self, project: ProjectId, commit: CommitId, path: str) -> str: ...  # NotFound
    async def read_all(
        self, project: ProjectId, commit: CommitId, prefix: str
    ) -> dict[str, str]: ...  # every text file under a folder
    async def changed_paths(
        self, project: ProjectId, old: CommitId, new: CommitId
    ) -> list[str]: ...
    async def materialise(
        self, project: ProjectId, commit: CommitId, directory: Path
    ) -> None: ...  # makes the directory exactly the tree; ignored folders (node_modules) survive;
    # may leave a file "<directory>.index" beside it, which goes with the directory
    async def delete(self, project: ProjectId) -> None: ...


OnText = Callable[[str], None]


class ChatModel(Protocol):
    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion: ...  # ModelError, after bounded retries


class Browser(Protocol):
    async def visit(self, visit: PageVisit) -> PageReport: ...
    async def close(self) -> None: ...


OnCheck = Callable[[CheckResult | GateNotice], None]


class Gatekeeper(Protocol):
    """Runs the gate. Raises InfrastructureError when it could not judge: never a verdict then."""

    async def verify(self, request: GateRequest, on_check: OnCheck | None = None) -> Verdict: ...


class Clock(Protocol):
    def now(self) -> datetime: ...  # aware UTC
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class Scaffold(Protocol):
    """The app template every project starts from."""

    def files(self) -> Mapping[str, str]: ...
