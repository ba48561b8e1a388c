"""Screenshots and logs of the gate, served only from inside the project's own folder."""

from __future__ import annotations

from pathlib import Path

from fleet.domain.ids import ProjectId
from fleet.errors import NotFound

# Everything else is downloaded, never shown: artefacts come from code nobody has read.
INLINE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


def artefact_file(artefacts_dir: Path, project: ProjectId, path: str) -> Path:
    """`path` is a finding's (it starts with the project's id) or relative to that folder."""
    unknown = NotFound(f"There is no artefact {path[:200]!r} in project {project}.")
    root = (artefacts_dir / project).resolve()
    parts = [part for part in path.split("/") if part]
    if parts[:1] == [project]:
        parts = parts[1:]
    if not parts or ".." in parts or any("\0" in part for part in parts):
        raise unknown
    file = root.joinpath(*parts).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        raise unknown
    return file
