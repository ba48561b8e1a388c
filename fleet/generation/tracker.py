"""The progress tracker: what a task did, word for word, whatever happens to its history. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from fleet.domain.build import Step, StepKind
from fleet.domain.progress import notes_of

EVIDENCE_FACT = "evidence"
MAX_SQL = 300
MAX_CHECKS = 60


def tracker(steps: Sequence[Step]) -> JsonValue:
    """Of a task's own steps: files with their hashes, SQL, checks, decisions, open evidence."""
    files: dict[str, JsonValue] = {}
    for step in steps:
        for path, text in step.writes.items():
            files.pop(path, None)  # the order of the last writes
            files[path] = None if text is None else _stamp(text)
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


def _stamp(text: str) -> JsonValue:
    data = text.encode()
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


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
