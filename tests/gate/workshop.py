"""A gate on real drivers in a folder of its own: git, Postgres, bubblewrap, Chromium, a store."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from catalog.catalog import CatalogScaffold
from fleet.domain.ids import (
    AppSlug,
    BuildId,
    CommitId,
    EndpointId,
    OwnerId,
    ProjectId,
    dev_timeline,
)
from fleet.domain.plan import Contract
from fleet.domain.repository import NewCommit
from fleet.domain.timeline import Migration
from fleet.domain.verdict import GateRequest, Verdict
from fleet.drivers.bubblewrap.runtime import BubblewrapRuntime, Limits
from fleet.drivers.chromium.browser import ChromiumBrowser
from fleet.drivers.git.repositories import GitRepositories
from fleet.drivers.memory.store import MemoryStore
from fleet.drivers.postgres.timelines.local import LocalTimelines
from fleet.drivers.postgres.timelines.statements import split_statements
from fleet.drivers.system.clock import SystemClock
from fleet.ports import OnCheck
from fleet.verification.gate import Gate
from fleet.verification.stages import Patience
from fleet.verification.subject import MIGRATIONS

_BUILD = BuildId("bld_test")
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_IDLE_TIMEOUT_S = 300.0
_PATIENCE = Patience()


@dataclass
class Workshop:
    """Several gates may run at once, over one project or several; each run has its own twin."""

    gate: Gate
    git: GitRepositories
    timelines: LocalTimelines
    runtime: BubblewrapRuntime
    browser: ChromiumBrowser
    store: MemoryStore
    artefacts: Path
    owner: OwnerId
    runs: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def start_project(self, project: ProjectId) -> None:
        """A project without any app; its dev timeline comes with its first gate run."""
        await self.git.create(project)
        await self.store.create_project(self.owner, project, str(project))

    async def start_follow_up(
        self, project: ProjectId, files: Mapping[str, str], rows_sql: str
    ) -> CommitId:
        """A project whose app is live: dev holds its migrations and rows. The green commit."""
        await self.start_project(project)
        commit = await self.commit(project, files)
        dev, endpoint = dev_timeline(project), EndpointId(f"dev-{project}")
        await self.timelines.create(dev)
        await self.timelines.point(endpoint, dev)
        await self.timelines.migrate(
            endpoint,
            [
                Migration(path=path, sql=text)
                for path, text in sorted(files.items())
                if path.startswith(MIGRATIONS) and path.endswith(".sql")
            ],
        )
        for statement in split_statements(rows_sql):
            await self.timelines.query(endpoint, statement.sql, read_only=False)
        await self.timelines.remove_endpoint(endpoint)  # and with it the compute's memory
        return commit

    async def commit(self, project: ProjectId, files: Mapping[str, str]) -> CommitId:
        new = NewCommit(parent=None, changes=dict(files), message="an app", at=_AT)
        return await self.git.commit(project, new)

    async def verify(
        self,
        project: ProjectId,
        files: Mapping[str, str],
        contract: Contract,
        base: CommitId | None = None,
        on_check: OnCheck | None = None,
    ) -> Verdict:
        commit = await self.commit(project, files)
        return await self.gate.verify(self.request(project, commit, contract, base), on_check)

    def request(
        self,
        project: ProjectId,
        commit: CommitId,
        contract: Contract,
        base: CommitId | None = None,
    ) -> GateRequest:
        return GateRequest(
            run=f"{_BUILD}.{next(self.runs)}",
            project=project,
            build=_BUILD,
            app=AppSlug("web"),
            app_path=".",
            commit=commit,
            base=base,
            contract=contract,
            fresh=True,
        )


@asynccontextmanager
async def open_workshop(patience: Patience = _PATIENCE) -> AsyncIterator[Workshop]:
    """Closed, it leaves no process and no file."""
    root = Path(tempfile.mkdtemp(prefix="af", dir="/tmp"))
    git = GitRepositories(root / "git")
    # Control groups are named after this folder: two workshops at once must not share them.
    run_dir = root / root.name
    timelines = LocalTimelines(root / "data", run_dir, _IDLE_TIMEOUT_S)
    runtime = BubblewrapRuntime(root / "data", run_dir, git, timelines, Limits())
    browser = ChromiumBrowser()
    store = MemoryStore()
    gate = Gate(
        repositories=git,
        timelines=timelines,
        runtime=runtime,
        browser=browser,
        store=store,
        scaffold=CatalogScaffold(),
        artefacts_dir=root / "artefacts",
        clock=SystemClock(),
        patience=patience,
    )
    try:
        await timelines.start()
        owner = await store.ensure_owner("tester")
        yield Workshop(gate, git, timelines, runtime, browser, store, root / "artefacts", owner.id)
        await gate.close()
    finally:
        await browser.close()
        await runtime.close()
        await timelines.close()
        shutil.rmtree(root, ignore_errors=True)
