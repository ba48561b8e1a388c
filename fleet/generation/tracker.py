"""The progress tracker: what a task did, word for word, whatever happens to its history. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from fleet.domain.build import Step, StepKind
from fleet.domain.progress import notes_of, stamp

EVIDENCE_FACT = "evidence"
MAX_SQL = 300
MAX_CHECKS = 60


def tracker(steps: Sequence[Step]) -> JsonValue:
    """Of a task's own steps: files with their hashes, SQL, checks, decisions, open evidence."""
    files: dict[str, JsonValue] = {}
    for step in steps:
        written = {p: None if t is None else stamp(p, t) for p, t in step.writes.items()}
        written |= {s.path: s for s in notes_of(step.facts).confirmed if s.path not in written}
        for path, made in written.items():
            files.pop(path, None)  # the order of the last writes
            files[path] = {"sha256": made.sha256, "bytes": made.bytes} if made else None
    notes = [notes_of(step.facts) for step in steps]
    return {
        "files": files,
        "sql": _all((r.model_dump(mode="json") for n in notes for r in n.sql), MAX_SQL),
        "checks": _checks(steps)[-MAX_CHECKS:],
        "decisions": _all(text for n in notes for text in n.decisions),
        "scope_exits": _all(e.model_dump(mode="json") for n in notes for e in n.scope_exits),
        "checkpoints": _all(checkpoint for n in notes for checkpoint in n.checkpoints),
        "packages": _all(package for n in notes for package in n.packages),
        "evidence": open_evidence(steps),
    }


def _all(values: Iterable[JsonValue], newest: int = 0) -> list[JsonValue]:
    return list(values)[-newest:]


def open_evidence(steps: Sequence[Step]) -> JsonValue:
    """The findings of the last gate run; None when none was red."""
    gates = [s for s in steps if s.kind is StepKind.GATE]
    return gates[-1].facts.get(EVIDENCE_FACT) if gates else None


def _checks(steps: Sequence[Step]) -> list[JsonValue]:
    """Gate runs and the producer's own checks, in order, with their fingerprints."""
    told: list[JsonValue] = []
    for step in steps:
        if step.kind is StepKind.GATE:
            told.append(
                {
                    "check": "gate",
                    "attempt": step.facts.get("attempt"),
                    "commit": step.facts.get("commit"),
                    "passed": step.facts.get("green"),
                    "fingerprints": step.facts.get("fingerprints"),
                }
            )
        told += [run.model_dump(mode="json") for run in notes_of(step.facts).checks]
    return told
