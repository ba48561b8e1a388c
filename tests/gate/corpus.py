"""The corpus: green apps, faults as small patches over them, and what each must be caught by.

`apps/<app>/tree/` overlays the template, without the paths named in `removed.txt` and with the
catalog's examples named in `examples.txt`; `contract.json` is its contract and `rows.sql` what dev
holds when a follow-up begins. `faults/<app>/<name>.patch` is a diff with a header; README.md has
its form.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_string
from enum import StrEnum
from functools import cache
from pathlib import Path

from catalog.catalog import load_catalog, scaffold_files
from fleet.domain.plan import Contract
from fleet.domain.verdict import CheckName, Finding, Verdict

_FOLDER = Path(__file__).parent
_HEADERS = {"title", "check", "names", "codes", "on"}


class Stage(StrEnum):
    FIRST = "first"
    FOLLOW_UP = "follow-up"  # dev holds the green app's tables with rows; base is the green commit


@dataclass(frozen=True)
class App:
    """A green app. `files` is its whole tree, the template's part included."""

    name: str
    files: Mapping[str, str]
    contract: Contract
    rows_sql: str


@dataclass(frozen=True)
class Fault:
    """`subject` is the file, procedure, table or page that the evidence of `check` must name.

    With `codes`, the finding that names it must also have one of them.
    """

    app: str
    name: str
    title: str
    check: CheckName
    subject: str
    codes: frozenset[str]
    stage: Stage
    patch: str

    @property
    def id(self) -> str:
        return f"{self.app}/{self.name}"


class Catch(StrEnum):
    NAMED = "caught"
    ELSEWHERE = "caught elsewhere only"
    MISSED = "missed"
    UNJUDGED = "could not be judged"


class PatchRefused(Exception):
    """A fault no longer fits its app: mend the patch."""


@cache
def load_apps() -> Mapping[str, App]:
    return {path.name: _app(path) for path in sorted((_FOLDER / "apps").iterdir())}


@cache
def load_faults() -> tuple[Fault, ...]:
    return tuple(_fault(path) for path in sorted((_FOLDER / "faults").glob("*/*.patch")))


def _app(folder: Path) -> App:
    files = scaffold_files()
    for gone in (folder / "removed.txt").read_text("utf-8").split():
        del files[gone]
    examples = folder / "examples.txt"
    kinds = examples.read_text("utf-8").split() if examples.exists() else []
    for entry in load_catalog():
        if entry.kind in kinds:
            files |= entry.example_files
    for path in sorted((folder / "tree").rglob("*")):
        if path.is_file():
            files[path.relative_to(folder / "tree").as_posix()] = path.read_text("utf-8")
    rows = folder / "rows.sql"
    return App(
        name=folder.name,
        files=files,
        contract=Contract.model_validate_json((folder / "contract.json").read_text("utf-8")),
        rows_sql=rows.read_text("utf-8") if rows.exists() else "",
    )


def _fault(path: Path) -> Fault:
    text = path.read_text("utf-8")
    head, gap, patch = text.partition("\n\n")
    if not gap:
        raise ValueError(f"{path}: an empty line must stand between the header and the diff")
    headers = {key.lower(): value.strip() for key, value in message_from_string(head).items()}
    if unknown := headers.keys() - _HEADERS:
        raise ValueError(f"{path}: unknown headers {', '.join(sorted(unknown))}")
    return Fault(
        app=path.parent.name,
        name=path.stem,
        title=headers["title"],
        check=CheckName(headers["check"]),
        subject=headers["names"],
        codes=frozenset(headers.get("codes", "").replace(",", " ").split()),
        stage=Stage(headers.get("on", Stage.FIRST)),
        patch=patch,
    )


def broken(app: App, fault: Fault) -> dict[str, str]:
    """The app's files with the fault in them. Raises PatchRefused when it does not fit exactly."""
    with tempfile.TemporaryDirectory(prefix="af", dir="/tmp") as name:
        root = Path(name)
        for path, text in app.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, "utf-8")
        done = subprocess.run(
            # --unsafe-paths is not given: a patch cannot leave the folder.
            ["git", "apply", "--whitespace=nowarn", "-"],
            cwd=root,
            # Without this, git takes a repository around /tmp for the patch's own.
            env={"PATH": "/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(root.parent)},
            input=fault.patch,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        if done.returncode != 0:
            raise PatchRefused(f"{fault.id} does not apply: {done.stderr.strip()}")
        return {
            path.relative_to(root).as_posix(): path.read_text("utf-8")
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }


def judge(fault: Fault, verdict: Verdict) -> tuple[Catch, str]:
    """How the fault was caught, and the reason when it was not by the check that was named."""
    own = [found for check, found in verdict.findings if check is fault.check]
    if any(_names(fault, found) for found in own):
        return Catch.NAMED, ""
    if own:
        return Catch.ELSEWHERE, f"{fault.check} is red, but names no {fault.subject}: {_told(own)}"
    if not verdict.green:
        others = [found for _, found in verdict.findings]
        checks = ", ".join(sorted({check for check, _ in verdict.findings}))
        return Catch.ELSEWHERE, f"only {checks or 'no check'} is red: {_told(others)}"
    return Catch.MISSED, "the verdict is green"


def _names(fault: Fault, found: Finding) -> bool:
    if fault.codes and found.code not in fault.codes:
        return False
    is_file = "/" in fault.subject.strip("/") and not fault.subject.startswith("/")
    return found.where == fault.subject or (
        is_file and fault.subject in f"{found.message}\n{found.excerpt}"
    )


def _told(findings: list[Finding]) -> str:
    return "; ".join(f"{f.where} {f.code}: {f.message[:120]}" for f in findings[:4])
