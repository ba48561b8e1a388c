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
    CUT = "cut"  # the verdict was red already, so it was not waited for; says nothing of the app
    NOT_RUN = "not_run"  # the platform could not run it (no Chromium); the note says what to do


class VerdictState(StrEnum):
    """What a verdict says of the app. NOT_VERIFIED says nothing: the platform could not judge."""

    GREEN = "green"
    RED = "red"
    NOT_VERIFIED = "not_verified"


_RED = frozenset({CheckOutcome.FAILED, CheckOutcome.BLOCKED})
_GREEN = frozenset({CheckOutcome.PASSED, CheckOutcome.SKIPPED})


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
    """`recalled`: not run now; an earlier gate run judged these same inputs."""

    check: CheckName
    outcome: CheckOutcome
    findings: tuple[Finding, ...] = ()
    note: str = ""
    elapsed_s: float = 0.0
    artefacts: tuple[str, ...] = ()
    recalled: bool = False


class Verdict(Frozen):
    """`phases` splits the elapsed seconds by name ("twin", "typescript", …).

    `cached_from` names the gate run that really judged these same inputs; "" means this one did.
    """

    commit: CommitId
    results: tuple[CheckResult, ...]
    elapsed_s: float
    phases: dict[str, float] = {}
    cached_from: str = ""

    @property
    def state(self) -> VerdictState:
        """Red as soon as something of the app's is found; green only if all that applies ran."""
        outcomes = {r.outcome for r in self.results}
        if outcomes & _RED:
            return VerdictState.RED
        if CheckOutcome.PASSED in outcomes and outcomes <= _GREEN:
            return VerdictState.GREEN
        return VerdictState.NOT_VERIFIED

    @property
    def green(self) -> bool:
        """No check failed or was blocked or left out, and at least one really ran."""
        return self.state is VerdictState.GREEN

    @property
    def whole(self) -> bool:
        """Every check came to its own end: the same inputs would give this verdict again."""
        return self.state is not VerdictState.NOT_VERIFIED and not any(
            r.outcome in (CheckOutcome.CUT, CheckOutcome.NOT_RUN) for r in self.results
        )

    @property
    def unrun(self) -> tuple[CheckResult, ...]:
        """The checks that the platform could not run; their notes say why and what to do."""
        return tuple(r for r in self.results if r.outcome is CheckOutcome.NOT_RUN)

    @property
    def findings(self) -> tuple[tuple[CheckName, Finding], ...]:
        return tuple((r.check, f) for r in self.results for f in r.findings)


class GateNotice(Frozen):
    """Something to tell about a gate run that is no check's result: that it is repeated."""

    text: str


class GateRequest(Frozen):
    """What to verify. `run` names the gate run uniquely and stably over retries ("bld_x.3").

    The twin is called after it, so a retry finds and removes what a killed run left behind.
    `base` is the last green commit (None on a first build): browse runs when browser files differ.
    `fresh` judges anew what a remembered verdict could answer (benchmarks, the corpus).
    """

    run: str
    project: ProjectId
    build: BuildId
    app: AppSlug
    app_path: str
    commit: CommitId
    base: CommitId | None
    contract: Contract
    fresh: bool = False
