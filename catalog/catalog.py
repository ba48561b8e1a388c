"""The catalog as typed values: services with working examples, and the app template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml
from pydantic import Field, ValidationError

from fleet.domain.catalog import CatalogNote
from fleet.domain.frozen import Frozen
from fleet.errors import SetupError

_ROOT = Path(__file__).parent
_SCAFFOLD = _ROOT / "scaffold"
# What npm, Vite and vitest leave in a work tree; never part of a project.
_IGNORED_FOLDERS = frozenset({"node_modules", "dist", ".vitest"})


class ServiceDeclaration(Frozen):
    """`service.yaml` as written. `files` are patterns of what the producer writes for it."""

    kind: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    summary: str
    when_to_use: str
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...]
    files: tuple[str, ...]
    rules: tuple[str, ...]
    example: str


class CatalogEntry(ServiceDeclaration):
    """`example_files` maps paths in the app to text: laid over the scaffold and over the examples
    of `requires`, they compile and pass their tests."""

    example_files: Mapping[str, str]

    def text(self) -> str:
        """The entry in its own words, for a model to read."""
        sections = (
            ("Provides", self.provides),
            ("Files", self.files),
            ("Rules", self.rules),
        )
        lines = [self.summary, "", f"When to use: {self.when_to_use}"]
        if self.requires:
            lines.append(f"Requires: {', '.join(self.requires)}")
        for heading, items in sections:
            lines += ["", f"{heading}:", *(f"- {item}" for item in items)]
        return "\n".join(lines)

    def note(self) -> CatalogNote:
        return CatalogNote(
            kind=self.kind,
            title=self.title,
            text=self.text(),
            example=dict(self.example_files),
        )


@cache
def load_catalog() -> tuple[CatalogEntry, ...]:
    """Every entry, each after those it requires. SetupError names the file that is wrong."""
    found = {entry.kind: entry for entry in map(_load, sorted(_ROOT.glob("*/service.yaml")))}
    ordered: dict[str, CatalogEntry] = {}
    while len(ordered) < len(found):
        ready = [
            entry
            for entry in found.values()
            if entry.kind not in ordered and ordered.keys() >= set(entry.requires)
        ]
        if not ready:
            stuck = ", ".join(sorted(found.keys() - ordered.keys()))
            raise SetupError(f"The catalog entries {stuck} require each other or unknown ones.")
        ordered.update((entry.kind, entry) for entry in ready)
    return tuple(ordered.values())


def catalog_notes() -> tuple[CatalogNote, ...]:
    """The whole catalog as the architect and the producer are told of it."""
    return tuple(entry.note() for entry in load_catalog())


@cache
def _scaffold() -> Mapping[str, str]:
    return MappingProxyType(dict(_text_files(_SCAFFOLD)))


def scaffold_files() -> dict[str, str]:
    """The app template's files by path, dotfiles included."""
    return dict(_scaffold())


class CatalogScaffold:
    """The `Scaffold` port: the template in this package."""

    def files(self) -> Mapping[str, str]:
        return _scaffold()


def _load(path: Path) -> CatalogEntry:
    try:
        declared = ServiceDeclaration.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise SetupError(f"{path} is not a catalog entry: {error}") from error
    if declared.kind != path.parent.name:
        raise SetupError(f"{path} declares kind {declared.kind}; its folder says otherwise.")
    example = dict(_text_files(path.parent / declared.example))
    if not example:
        raise SetupError(f"{path} names an example folder without files.")
    return CatalogEntry(**declared.model_dump(), example_files=example)


def _text_files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and _IGNORED_FOLDERS.isdisjoint(relative.parts):
            yield relative.as_posix(), path.read_text("utf-8")
