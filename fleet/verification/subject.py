"""What a gate run looks at: the commit's files, its twin, and what the untouched scaffold says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet.domain.timeline import Migration
from fleet.domain.verdict import GateRequest

MIGRATIONS = "db/migrations/"


@dataclass(frozen=True)
class Subject:
    """`files` maps paths relative to the app's folder to texts; `changed` is None on a first build.

    `scaffold` is the template every app starts from.
    """

    request: GateRequest
    files: Mapping[str, str]
    changed: frozenset[str] | None
    scaffold: Mapping[str, str]
    artefacts: Path

    @property
    def migrations(self) -> list[Migration]:
        return [
            Migration(path=path, sql=text)
            for path, text in sorted(self.files.items())
            if path.startswith(MIGRATIONS) and path.endswith(".sql")
        ]


def inside(app_path: str, paths: Mapping[str, str]) -> dict[str, str]:
    """The files of one app, by paths relative to its folder."""
    prefix = prefix_of(app_path)
    return {p[len(prefix) :]: text for p, text in paths.items() if p.startswith(prefix)}


def prefix_of(app_path: str) -> str:
    return "" if app_path in ("", ".") else app_path.strip("/") + "/"
