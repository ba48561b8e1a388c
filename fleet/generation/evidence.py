"""A verdict as the producer and the watchers are told it. Pure."""

from __future__ import annotations

from pydantic import JsonValue

from fleet.domain.build import StepKind
from fleet.domain.chat import ChatMessage, Role
from fleet.domain.ids import TaskId
from fleet.domain.verdict import CheckName, CheckOutcome, CheckResult, Finding, Verdict
from fleet.errors import InfrastructureError
from fleet.generation.prompt import fenced, prompt
from fleet.generation.tracker import EVIDENCE_FACT
from fleet.ports import NewStep

MAX_TOLD = 30


def gate_step(task: TaskId, attempt: int, max_attempts: int, verdict: Verdict) -> NewStep:
    """The gate run as a step; when red its message reopens the task."""
    told = _told(verdict)
    findings: list[JsonValue] = [_shown(c, f) for c, f in told]
    messages: tuple[ChatMessage, ...] = ()
    if not verdict.green:
        text = prompt(
            "evidence",
            commit=verdict.commit[:12],
            attempt=str(attempt),
            of=str(max_attempts),
            evidence=fenced("appfleet:evidence", {"findings": findings}),
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
            "cached": bool(verdict.cached_from),
            "fingerprints": fingerprints,
            "told": lines,
            EVIDENCE_FACT: findings or None,
        },
        elapsed_s=verdict.elapsed_s,
    )


def not_verified(verdict: Verdict) -> InfrastructureError:
    """Nothing is said of the app, so no attempt of the task is counted."""
    why = "; ".join(f"{r.check}: {r.note}" for r in verdict.unrun) or "no check ran."
    return InfrastructureError(f"The app could not be verified: {why}")


def findings_json(result: CheckResult) -> list[JsonValue]:
    return [_shown(result.check, f) for f in result.findings[:MAX_TOLD]]


def _told(verdict: Verdict) -> list[tuple[CheckName, Finding]]:
    """A red verdict always tells something: without a finding, why checks did not pass."""
    told = list(verdict.findings) or [
        (result.check, Finding(where="", code=result.outcome.value, message=_why(result)))
        for result in verdict.results
        if result.outcome not in (CheckOutcome.PASSED, CheckOutcome.SKIPPED)
    ]
    return told[:MAX_TOLD]


def _why(result: CheckResult) -> str:
    return result.note or f"The check ended {result.outcome} without a finding."


def _shown(check: CheckName, finding: Finding) -> JsonValue:
    return {
        "check": check.value,
        "where": finding.where,
        "code": finding.code,
        "message": finding.message,
        "line": finding.line,
        "excerpt": finding.excerpt,
    }
