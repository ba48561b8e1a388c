"""The words blueprint knows, as data files; read once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeVar

T = TypeVar("T")

FIELD_SPEC = re.compile(
    r"(?P<label>[^:\s]+):(?P<kind>[a-z_]+)(?P<soft>\?)?(?:\((?P<args>[^)]*)\))?(?P<required>!)?"
)


@dataclass(frozen=True)
class FieldEntry:
    """`arguments`: choice labels, reference targets by preference, or numeric bounds.

    A `soft` field is dropped when no entity it could point at is in the app.
    """

    label: str
    kind: str
    required: bool
    soft: bool
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class EntityEntry:
    name: str
    label: str
    fields: tuple[FieldEntry, ...]


@dataclass(frozen=True)
class DomainEntry:
    title: str
    entities: tuple[str, ...]


@dataclass(frozen=True)
class Lexicon:
    reserved: frozenset[str]
    entities: dict[str, EntityEntry]
    entity_words: dict[str, str]
    domains: dict[str, DomainEntry]  # by word, longest first
    widgets: dict[str, str]  # word -> widget, longest first
    field_words: dict[str, str]  # word in snake case -> kind
    with_words: tuple[str, ...]
    and_words: tuple[str, ...]
    stop: frozenset[str]
    filler: frozenset[str]
    verbs: frozenset[str]
    not_plural: frozenset[str]
    uncountable: frozenset[str]


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    phrases = _load("phrases.json")
    entities = _load("entities.json")
    entry = {
        name: EntityEntry(name, data["label"], _fields(data["fields"]))
        for name, data in entities.items()
    }
    return Lexicon(
        reserved=frozenset(_text("reserved.txt").split()),
        entities=entry,
        entity_words={w: n for n, data in entities.items() for w in data["words"].split()},
        domains=_longest_first(
            {
                word: DomainEntry(data["title"], tuple(data["entities"]))
                for data in _load("domains.json").values()
                for word in data["words"]
            }
        ),
        widgets=_longest_first(
            {word: name for name, words in _load("widgets.json").items() for word in words}
        ),
        field_words={
            word: kind
            for kind, words in _load("field_words.json").items()
            for word in words.split()
        },
        with_words=tuple(sorted(phrases["with"], key=len, reverse=True)),
        and_words=tuple(sorted(phrases["and"], key=len, reverse=True)),
        stop=frozenset(phrases["stop"].split()),
        filler=frozenset(phrases["filler"].split()),
        verbs=frozenset(phrases["verbs"].split()),
        not_plural=frozenset(phrases["not_plural"].split()),
        uncountable=frozenset(phrases["uncountable"].split()),
    )


@lru_cache(maxsize=16)
def change_pattern(name: str) -> re.Pattern[str]:
    """How a follow-up asks for one kind of change, in several languages."""
    return re.compile(_load("changes.json")[name], re.IGNORECASE)


@lru_cache(maxsize=1)
def landing_copy() -> dict[str, Any]:
    """What a landing page says, by the words of its subject; `other` for the rest."""
    return _load("landing.json")


@lru_cache(maxsize=1)
def quiz_questions() -> tuple[dict[str, object], ...]:
    return tuple(json.loads(_text("quiz.json")))


def _fields(spec: str) -> tuple[FieldEntry, ...]:
    found = []
    for match in FIELD_SPEC.finditer(spec):
        arguments = tuple(a.replace("_", " ") for a in (match["args"] or "").split(",") if a)
        if match["kind"] == "ref":
            arguments = tuple(a.replace(" ", "_") for a in arguments)
        found.append(
            FieldEntry(
                label=match["label"].replace("_", " "),
                kind=match["kind"],
                required=bool(match["required"]),
                soft=bool(match["soft"]) or match["kind"] == "ref",
                arguments=arguments,
            )
        )
    return tuple(found)


def _longest_first(table: dict[str, T]) -> dict[str, T]:
    return dict(sorted(table.items(), key=lambda pair: (-len(pair[0]), pair[0])))


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(_text(name))
    return loaded
