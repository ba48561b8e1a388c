"""The catalog as data: it loads, it is ordered, and the template carries what it must."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from catalog.catalog import CatalogScaffold, catalog_notes, load_catalog, scaffold_files
from fleet.domain.project import SPEC_PATH, Spec


def test_every_entry_stands_after_those_it_requires() -> None:
    seen: set[str] = set()
    for entry in load_catalog():
        assert seen.issuperset(entry.requires)
        seen.add(entry.kind)
    assert seen == {"postgres", "trpc-api", "react-app"}


def test_entries_are_immutable() -> None:
    with pytest.raises(ValidationError):
        load_catalog()[0].title = "other"  # type: ignore[misc]


def test_a_note_tells_the_rules_and_carries_the_example() -> None:
    note = next(note for note in catalog_notes() if note.kind == "postgres")
    assert "Rules:" in note.text
    assert "db/migrations/0001_customers.sql" in note.example


def test_the_template_holds_dotfiles_and_no_installed_packages() -> None:
    files = scaffold_files()
    assert {".npmrc", ".gitignore", "package-lock.json", "tests/setup.ts"} <= files.keys()
    assert not any("node_modules/" in path for path in files)
    assert dict(CatalogScaffold().files()) == files


def test_the_template_declares_a_valid_spec() -> None:
    assert Spec.model_validate_json(scaffold_files()[SPEC_PATH]) == Spec()


def test_the_lock_file_pins_every_package_and_names_no_registry() -> None:
    files = scaffold_files()
    lock = json.loads(files["package-lock.json"])
    installed = {path: entry for path, entry in lock["packages"].items() if path}
    assert all("integrity" in entry and "resolved" not in entry for entry in installed.values())
    manifest = json.loads(files["package.json"])
    versions = [*manifest["dependencies"].values(), *manifest["devDependencies"].values()]
    assert all(version[0].isdigit() for version in versions)
