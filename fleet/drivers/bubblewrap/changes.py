"""Changes what an app depends on: npm resolves from package.json and the lock file alone.

Everything a model can mend is an InvalidInput in words; no registry's address is ever repeated.
"""

from __future__ import annotations

import difflib
import json
import re
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fleet.domain.workload import PackageChange, PackageManifest
from fleet.drivers.bubblewrap.npm import NO_GIT, NpmResult, run_npm
from fleet.drivers.bubblewrap.packages import (
    Locked,
    declared,
    locked,
    refuse_foreign_sources,
    refuse_foreign_specs,
)
from fleet.drivers.bubblewrap.store import remove_leftovers
from fleet.errors import InfrastructureError, InvalidInput, WorkloadCrashed

RESOLVE_TIMEOUT_S = 60.0
MAX_CHANGES = 10
MAX_LOCK_BYTES = 2_000_000
_MAX_TOLD_CHARS = 1_200
_LOCK_ONLY = ("--package-lock-only", "--omit-lockfile-registry-resolved=true")
_NAME = re.compile(r"(?:@[A-Za-z0-9_~][\w.~-]*/)?[A-Za-z0-9_~][\w.~-]*")
_RANGE = re.compile(r"[\w.^~<>=*+-]{1,60}")
_MISSING = re.compile(r"The requested resource '(@?[^@']+)@")
_UNMATCHED = re.compile(r"No matching version found for (@?[^@\s]+)@(\S+?)\.?\s")
_INVALID = re.compile(r"(?:invalid|missing): (\S+)")


class _Rules(BaseModel):
    """`platform` stay at the template's versions; `scripts_not_needed` work without theirs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    platform: frozenset[str]
    denied: dict[str, str]
    instead: dict[str, str]
    scripts_not_needed: frozenset[str]


@dataclass(frozen=True)
class _Wanted:
    name: str
    range: str

    @property
    def spec(self) -> str:
        return f"{self.name}@{self.range}" if self.range else self.name


def changed_packages(
    root: Path, manifest: PackageManifest, change: PackageChange
) -> PackageManifest:
    """Blocking: call it in a thread. `root` is a folder of ours to work in.

    Raises InvalidInput for what the model can mend.
    """
    if not 0 < len(change.add) + len(change.remove) <= MAX_CHANGES:
        raise InvalidInput(
            f"One change names 1 to {MAX_CHANGES} packages.", action="Send fewer at once."
        )
    root.mkdir(parents=True, exist_ok=True)
    remove_leftovers(root)
    with tempfile.TemporaryDirectory(prefix=".changing-", dir=root) as name:
        folder = Path(name)
        (folder / "package.json").write_text(manifest.package)
        if manifest.lock:
            (folder / "package-lock.json").write_text(manifest.lock)
        before = _vetted(folder)
        present = declared(folder)
        add = [_wanted(spec) for spec in change.add]
        _refuse_platform({w.name for w in add} | set(change.remove))
        _refuse_denied(add)
        _refuse_absent(change.remove, present)
        if change.remove:
            _resolve(folder, ("uninstall", *_LOCK_ONLY, "--", *change.remove), present)
        if add:
            kind = ("--save-dev",) if change.dev else ("--save-prod",)
            specs = (w.spec for w in add)
            _resolve(folder, ("install", *_LOCK_ONLY, *kind, "-E", "--", *specs), present)
        _refuse_builds(before, _vetted(folder))
        _refuse_conflicts(
            run_npm(folder, ("ls", "--all", "--package-lock-only"), RESOLVE_TIMEOUT_S)
        )
        return _manifest(folder)


def _wanted(spec: str) -> _Wanted:
    spec = spec.strip()
    at = spec.find("@", 1)
    name, version = (spec, "") if at < 0 else (spec[:at], spec[at + 1 :])
    if len(name) > 214 or not _NAME.fullmatch(name) or (version and not _RANGE.fullmatch(version)):
        raise InvalidInput(
            f"{spec[:80]!r} is not a package of the registry.",
            action="Write a published name, like zod or zod@4.1.0: no address, path or alias.",
        )
    return _Wanted(name, version)


def _refuse_platform(names: set[str]) -> None:
    if own := sorted(names & _rules().platform):
        raise InvalidInput(
            f"{own[0]} is the platform's own and keeps its version.", action="Leave it as it is."
        )


def _refuse_denied(wanted: list[_Wanted]) -> None:
    for package in wanted:
        if why := _rules().denied.get(package.name):
            raise InvalidInput(f"{package.name} is not allowed: {why}.", action="Use that instead.")


def _refuse_absent(names: tuple[str, ...], present: dict[str, str]) -> None:
    for name in names:
        if name not in present:
            raise InvalidInput(
                f"{name[:80]!r} is not among the app's packages.", action=_nearest(name, present)
            )


def _resolve(folder: Path, arguments: tuple[str, ...], present: dict[str, str]) -> None:
    done = run_npm(folder, arguments, RESOLVE_TIMEOUT_S)
    if done.code == 0:
        return
    text = done.text
    if found := _MISSING.search(text):
        raise InvalidInput(
            f"The registry has no package {found[1]}.", action=_nearest(found[1], present)
        )
    if found := _UNMATCHED.search(text):
        raise InvalidInput(
            f"{found[1]} has no version {found[2]}.",
            action=f"Leave the version out for the newest{_newest(folder, found[1])}.",
        )
    if "ERESOLVE" in text:
        raise _conflict(_told(text))
    if NO_GIT in text or "EUNSUPPORTEDPROTOCOL" in text:
        raise InvalidInput(
            "A package it needs does not come from the registry.", action="Choose another one."
        )
    if "EJSONPARSE" in text or "EINVALIDPACKAGENAME" in text or "EINVALIDTAGNAME" in text:
        raise InvalidInput(f"npm refuses: {_told(text)}", action="Mend package.json or the name.")
    raise InfrastructureError(
        f"npm could not resolve the packages: {_told(text)[:300]}",
        action="Check that the npm registry can be reached from this machine.",
    )


def _newest(folder: Path, name: str) -> str:
    seen = run_npm(folder, ("view", "--", name, "version"), RESOLVE_TIMEOUT_S)
    version = seen.text.strip()
    return f", {version}" if seen.code == 0 and _RANGE.fullmatch(version) else ""


def _vetted(folder: Path) -> dict[str, Locked]:
    try:
        if not (folder / "package-lock.json").exists():
            refuse_foreign_specs(folder)
            return {}
        refuse_foreign_sources(folder)
        return locked(folder)
    except WorkloadCrashed as error:
        raise InvalidInput(error.message, action=error.action or "Mend package.json.") from error


def _refuse_builds(before: dict[str, Locked], after: dict[str, Locked]) -> None:
    """Install scripts are off, so what needs one would fail only when the app runs."""
    rules = _rules()
    for place, entry in after.items():
        name = place.rpartition("node_modules/")[2]
        old = before.get(place)
        known = old is not None and old.version == entry.version
        if not entry.builds or entry.spare or known or name in rules.scripts_not_needed:
            continue
        instead = rules.instead.get(name)
        raise InvalidInput(
            f"{name} needs an install script (mostly a native build), and those are off here.",
            action=f"Use {instead} instead." if instead else "Choose one in plain JavaScript.",
        )


def _refuse_conflicts(listed: NpmResult) -> None:
    """A resolution may leave a peer unsatisfied that a clean install then refuses."""
    if listed.code != 0 and (found := _INVALID.search(listed.text)):
        raise _conflict(f"{found[1]} does not satisfy what other packages ask for.")


def _conflict(told: str) -> InvalidInput:
    return InvalidInput(
        f"It does not fit the packages that are there: {told}",
        action="Name a version that fits, or go on without it.",
    )


def _manifest(folder: Path) -> PackageManifest:
    lock = (folder / "package-lock.json").read_text()
    if len(lock) > MAX_LOCK_BYTES:
        raise InvalidInput("The app would have too many packages.", action="Choose a smaller one.")
    return PackageManifest(package=(folder / "package.json").read_text(), lock=lock)


def _told(text: str) -> str:
    """npm's own explanation without its addresses, log paths and advice to use force."""
    lines = [line.removeprefix("npm error").strip() for line in text.splitlines()]
    kept = [
        line
        for line in lines
        if line and not re.search(r"https?:|/_logs/|^code |--force|full report", line)
    ]
    return "; ".join(kept)[:_MAX_TOLD_CHARS]


def _nearest(name: str, present: dict[str, str]) -> str:
    close = difflib.get_close_matches(name, present, n=3, cutoff=0.5)
    if close:
        return f"The app has {', '.join(close)}; did you mean one of these?"
    return "Check the spelling, or go on without it."


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    path = Path(__file__).parent / "package_rules.json"
    return _Rules.model_validate(json.loads(path.read_text()))
