"""When two gate runs would judge the same thing: the key of a remembered verdict. Pure.

All that a verdict follows from is in it: the app's tree, what the plan promised, what changed, the
scaffold, dev's data (migrations and procedures meet its rows) and the checks' own code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from fleet.domain.verdict import GateRequest, Verdict

_CODE = (Path(__file__).parent, Path(__file__).parents[1] / "drivers" / "chromium")
_SOURCES = {".py", ".mjs", ".js"}
# Found because something took long; asked again, it may well not.
_TIMED = ("timeout", "no-answer")


@cache
def gate_version() -> str:
    """A digest of the checks' code: a mended check judges everything anew."""
    digest = hashlib.sha256()
    for folder in _CODE:
        for path in sorted(folder.rglob("*")):
            if path.suffix in _SOURCES:
                digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def digest_of(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


def verdict_key(
    request: GateRequest, tree: str, changed: frozenset[str] | None, scaffold: str, data: str
) -> str:
    """`tree`, `scaffold` and `data` are digests or versions; `data` is dev's database."""
    facts = {
        "gate": gate_version(),
        "app": [request.app, request.app_path],
        "tree": tree,
        "contract": request.contract.model_dump(mode="json"),
        "changed": None if changed is None else sorted(changed),
        "scaffold": scaffold,
        "data": data,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def worth_remembering(verdict: Verdict) -> bool:
    """Judged whole, and by what the app is rather than by how long it took."""
    return verdict.whole and not any(found.code.endswith(_TIMED) for _, found in verdict.findings)


def recalled(verdict: Verdict, request: GateRequest, elapsed_s: float) -> Verdict:
    results = tuple(r.model_copy(update={"recalled": True}) for r in verdict.results)
    anew = {"commit": request.commit, "elapsed_s": elapsed_s, "phases": {}, "results": results}
    return verdict.model_copy(update=anew)
