"""What a gate run leaves for people: screenshots and long logs, one folder a run.

A run's folder is called after it, and so starts with its build's id: the folders of a project's
last builds are kept, older ones go.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from fleet.domain.ids import BuildId, ProjectId
from fleet.domain.verdict import CheckName, CheckOutcome, CheckResult
from fleet.verification.evidence import plain

MAX_LOG_BYTES = 1_000_000
KEPT_BUILDS = 20
_LOG_NAMES = {
    CheckName.TYPESCRIPT: "tsc.log",
    CheckName.TESTS: "vitest.log",
    CheckName.CONTRACT: "app.log",
    CheckName.BROWSE: "app.log",
}


def run_folder(root: Path, project: ProjectId, run: str) -> Path:
    return root / project / re.sub(r"[^A-Za-z0-9._-]+", "-", run).strip(".")


def with_log(result: CheckResult, folder: Path, log: str) -> CheckResult:
    """A red check's log as a file, named by its findings that show nothing else."""
    text = plain(log).strip()
    if result.outcome is not CheckOutcome.FAILED or not text:
        return result
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _LOG_NAMES[result.check]
    # The end of a log says why; a report's beginning is only long.
    file.write_bytes(text.encode()[-MAX_LOG_BYTES:] + b"\n")
    path = str(file.relative_to(folder.parent.parent))
    findings = tuple(
        f if f.artefact else f.model_copy(update={"artefact": path}) for f in result.findings
    )
    return result.model_copy(update={"findings": findings, "artefacts": (*result.artefacts, path)})


def forget_missing(result: CheckResult, root: Path) -> CheckResult:
    """Without the artefacts that are gone by now: a remembered verdict outlives its folder."""

    def present(path: str) -> str:
        return path if path and (root / path).is_file() else ""

    findings = tuple(
        f.model_copy(update={"artefact": present(f.artefact)}) for f in result.findings
    )
    kept = tuple(path for path in result.artefacts if present(path))
    return result.model_copy(update={"findings": findings, "artefacts": kept})


def prune(root: Path, project: ProjectId, current: BuildId) -> list[str]:
    """Removes the folders of all but the newest builds; the names of those builds."""
    builds: dict[str, float] = {}
    folders = [f for f in (root / project).glob("*") if f.is_dir()]
    for folder in folders:
        build = _build_of(folder)
        builds[build] = max(builds.get(build, 0.0), folder.stat().st_mtime)
    others = sorted((b for b in builds if b != current), key=lambda b: builds[b], reverse=True)
    old = set(others[KEPT_BUILDS - 1 :])
    for folder in folders:
        if _build_of(folder) in old:
            shutil.rmtree(folder)
    return sorted(old)


def _build_of(folder: Path) -> str:
    return folder.name.split(".", 1)[0]
