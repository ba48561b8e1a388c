"""A verdict as the producer and the watchers are told it. Pure."""

from __future__ import annotations

from pydantic import JsonValue

from fleet.domain.build import StepKind
from fleet.domain.chat import ChatMessage, Role
from fleet.domain.ids import TaskId
from fleet.domain.verdict import CheckName, CheckOutcome, CheckResult, Finding, Verdict
from fleet.generation.prompt import fenced, prompt
from fleet.ports import NewStep

MAX_TOLD = 30


def gate_step(task: TaskId, attempt: int, max_attempts: int, verdict: Verdict) -> NewStep:
    """The gate run as a step; when red its message reopens the task."""
    told = _told(verdict)
    messages: tuple[ChatMessage, ...] = ()
    if not verdict.green:
        text = prompt(
            "evidence",
            commit=verdict.commit[:12],
            attempt=str(attempt),
            of=str(max_attempts),
            evidence=fenced("appfleet:evidence", {"findings": [_shown(c, f) for c, f in told]}),
        )
        messages = (ChatMessage(role=Role.USER, content=text),)
    lines: list[JsonValue] = [f"{c}: {f.where} {f.code} {f.message}"[:300] for c, f in told]
    fingerprints = list[JsonValue](sorted({f.fingerprint for _, f in verdict.findings}))
    return NewStep(
        task=task,
        kind=StepKind.GATE,
        title=f"Gate {'green' if verdict.green else 'red'}",
        messages=messages,
        facts={
            "attempt": attempt,
            "commit": verdict.commit,
            "green": verdict.green,
            "fingerprints": fingerprints,
            "told": lines,
        },
        elapsed_s=verdict.elapsed_s,
    )


def findings_json(result: CheckResult) -> list[JsonValue]:
    return [_shown(result.check, f) for f in result.findings[:MAX_TOLD]]


def _told(verdict: Verdict) -> list[tuple[CheckName, Finding]]:
    """A red verdict always tells something: a check without findings tells its note."""
    told = list(verdict.findings)
    for result in verdict.results:
        if not result.findings and result.outcome in (CheckOutcome.FAILED, CheckOutcome.BLOCKED):
            note = result.note or f"The check ended {result.outcome} without a finding."
            told.append((result.check, Finding(where="", code=result.outcome.value, message=note)))
    return told[:MAX_TOLD]


def _shown(check: CheckName, finding: Finding) -> JsonValue:
    return {
        "check": check.value,
        "where": finding.where,
        "code": finding.code,
        "message": finding.message,
        "line": finding.line,
        "excerpt": finding.excerpt,
    }
