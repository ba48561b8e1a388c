"""Evidence: what the gate found, about one commit. Only a green verdict completes a task."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from pydantic import computed_field

from fleet.domain.frozen import Frozen
from fleet.domain.ids import AppSlug, BuildId, CommitId, ProjectId
from fleet.domain.plan import Contract

MAX_EXCERPT_CHARS = 1_200


class CheckName(StrEnum):
    TYPESCRIPT = "typescript"
    CONTRACT = "contract"
    TESTS = "tests"
    BROWSE = "browse"


class CheckOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  # nothing of this check's kind applies to the change; says why in a note
    BLOCKED = "blocked"  # another check's failure made it impossible to run (app did not start)


class Finding(Frozen):
    """One thing that is wrong and where.

    `where` is a file ("src/pages/Home.tsx"), procedure ("customers.list"), table or page ("/x").
    `code` is a short stable word ("TS2322", "missing-procedure"). `line` is 1-based, 0 unknown.
    `excerpt` is the shortest text that shows it: a source line, or request and response.
    `artefact` is a path under the artefacts folder (a screenshot, a long log), or "".
    """

    where: str
    code: str
    message: str
    line: int = 0
    excerpt: str = ""
    artefact: str = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def fingerprint(self) -> str:
        """Stable over line shifts and over the varying parts of logs."""
        return hashlib.sha256(f"{self.where}\0{self.code}\0{self.message}".encode()).hexdigest()[
            :12
        ]


class CheckResult(Frozen):
    check: CheckName
    outcome: CheckOutcome
    findings: tuple[Finding, ...] = ()
    note: str = ""
    elapsed_s: float = 0.0
    artefacts: tuple[str, ...] = ()


class Verdict(Frozen):
    """`phases` splits the elapsed seconds by name ("twin", "typescript", …)."""

    commit: CommitId
    results: tuple[CheckResult, ...]
    elapsed_s: float
    phases: dict[str, float] = {}

    @property
    def green(self) -> bool:
        """No check failed or was blocked, and at least one really ran."""
        outcomes = [r.outcome for r in self.results]
        return CheckOutcome.PASSED in outcomes and all(
            o in (CheckOutcome.PASSED, CheckOutcome.SKIPPED) for o in outcomes
        )

    @property
    def findings(self) -> tuple[tuple[CheckName, Finding], ...]:
        return tuple((r.check, f) for r in self.results for f in r.findings)


class GateRequest(Frozen):
    """What to verify. `run` names the gate run uniquely and stably over retries ("bld_x.3").

    The twin is called after it, so a retry finds and removes what a killed run left behind.
    `base` is the last green commit (None on a first build): browse runs when browser files differ.
    """

    run: str
    project: ProjectId
    build: BuildId
    app: AppSlug
    app_path: str
    commit: CommitId
    base: CommitId | None
    contract: Contract
