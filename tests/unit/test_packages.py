"""What npm is asked to install outside the sandbox comes from the registry, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleet.drivers.bubblewrap.packages import entry_name, refuse_foreign_sources
from fleet.errors import WorkloadCrashed


def app(folder: Path, wanted: dict[str, str], locked: dict[str, dict[str, object]]) -> Path:
    package = {"name": "a", "version": "1.0.0", "dependencies": wanted}
    lock = {"lockfileVersion": 3, "packages": {"": package, **locked}}
    (folder / "package.json").write_text(json.dumps(package))
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return folder


@pytest.mark.parametrize("spec", ["1.2.3", "^1", ">=1 <3", "latest", "npm:@a/b@^1", "*", ""])
def test_registry_versions_are_accepted(tmp_path: Path, spec: str) -> None:
    refuse_foreign_sources(app(tmp_path, {"x": spec}, {"node_modules/x": {"version": "1.2.3"}}))


@pytest.mark.parametrize(
    "spec",
    ["file:/root/x.tgz", "link:../x", "git+ssh://h/x", "a/b", "../x", "/root/x", "https://h/x.tgz"],
)
def test_other_sources_in_package_json_are_refused(tmp_path: Path, spec: str) -> None:
    with pytest.raises(WorkloadCrashed, match="registry"):
        refuse_foreign_sources(app(tmp_path, {"x": spec}, {}))


@pytest.mark.parametrize(
    ("place", "entry"),
    [
        ("node_modules/x", {"resolved": "file:/root/x.tgz"}),
        ("node_modules/x", {"resolved": "../x", "link": True}),
        ("node_modules/x", {"resolved": "git+https://h/x"}),
        ("node_modules/../../x", {"version": "1.0.0"}),
        ("../x", {"version": "1.0.0"}),
        ("node_modules/x", {"dependencies": {"y": "file:/root/y"}}),
    ],
)
def test_other_sources_in_the_lock_file_are_refused(
    tmp_path: Path, place: str, entry: dict[str, object]
) -> None:
    with pytest.raises(WorkloadCrashed, match="registry"):
        refuse_foreign_sources(app(tmp_path, {}, {place: entry}))


def test_the_template_is_accepted() -> None:
    refuse_foreign_sources(Path(__file__).parents[2] / "catalog" / "scaffold")


def test_another_prebundle_script_makes_another_entry(tmp_path: Path) -> None:
    folder = app(tmp_path, {}, {})
    before = entry_name(folder)
    (folder / "package.json").write_text('{"scripts": {"prebundle": "node evil.ts"}}')
    assert entry_name(folder) != before


def test_what_decides_nothing_keeps_the_entry(tmp_path: Path) -> None:
    folder = app(tmp_path, {}, {})
    before = entry_name(folder)
    (folder / "package.json").write_text('{"name": "another"}')
    assert entry_name(folder) == before
