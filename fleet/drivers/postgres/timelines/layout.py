"""Where things lie: durable folders in the data directory, short socket paths in the run one."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from fleet.drivers.bubblewrap.jail import DATABASE_UID, jailed_uid
from fleet.errors import InvalidInput

SOCKET_NAME = ".s.PGSQL.5432"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


def short(name: str) -> str:
    """Ids are long and contain dots; a socket path may have 107 bytes."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def checked_id(name: str) -> str:
    """Ids become file names: nothing that could leave or hide in its folder."""
    if _ID.fullmatch(name) is None:
        raise InvalidInput(f"{name!r} is not a valid timeline or endpoint id.")
    return name


def owner_of_data() -> int:
    return jailed_uid(DATABASE_UID)


def private_folder(path: Path, owner: int | None = None) -> Path:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if owner is not None and os.geteuid() == 0:
        os.chown(path, owner, owner)
    return path


def write_json(path: Path, value: object) -> None:
    """Whole or not at all, and still there after a power cut."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w") as file:
        file.write(json.dumps(value, indent=1))
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


@dataclass(frozen=True)
class Layout:
    data_dir: Path
    run_dir: Path

    @property
    def timelines(self) -> Path:
        return self.data_dir / "timelines"

    @property
    def template(self) -> Path:
        return self.timelines / ".template"

    @property
    def spares(self) -> Path:
        return self.timelines / ".spares"

    @property
    def trash(self) -> Path:
        return self.timelines / ".trash"

    @property
    def unfinished(self) -> Path:
        return self.timelines / ".unfinished"

    @property
    def password_file(self) -> Path:
        return self.timelines / ".superuser"

    @property
    def locks(self) -> Path:
        return self.timelines / ".locks"

    @property
    def endpoints(self) -> Path:
        return self.data_dir / "endpoints"

    def timeline(self, timeline: str) -> Path:
        return self.timelines / checked_id(timeline)

    def endpoint_file(self, endpoint: str) -> Path:
        return self.endpoints / f"{checked_id(endpoint)}.json"

    def endpoint_folder(self, endpoint: str) -> Path:
        """What a sandbox sees as /run/postgres; the folder itself is never replaced."""
        return self.run_dir / "e" / short(endpoint)

    def listener(self, endpoint: str) -> Path:
        return self.run_dir / "l" / short(endpoint)

    def compute_folder(self, timeline: str) -> Path:
        return self.run_dir / "c" / short(timeline)

    def make(self) -> None:
        for folder in (self.data_dir, self.timelines, self.spares, self.trash, self.unfinished):
            private_folder(folder)
        for folder in (self.locks, self.endpoints, self.run_dir):
            private_folder(folder)
        for name in ("e", "l", "c"):
            private_folder(self.run_dir / name)
