"""A follow-up's clause -> its parts, each one wish: "rename a to b and add c" are two."""

from __future__ import annotations

import re
from dataclasses import dataclass

from serve.models.blueprint.grammar import noun_of
from serve.models.blueprint.lexicon import change_pattern

_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|„[^“”]*[“”]")
_NEXT = change_pattern("next_part")
_POLITE_END = change_pattern("polite_end")
_RENAMES = change_pattern("renames")
_PAIR = change_pattern("pair")
_BELONGS = change_pattern("belongs")
_BELONGS_LIST = change_pattern("belongs_list")
_LINK = change_pattern("link")
_HAS_MANY = change_pattern("has_many")
_HAS = change_pattern("has")


@dataclass(frozen=True)
class Relation:
    """`child` points at `parent`. `said` is all that follows "has": it may hold plain fields."""

    child: str
    parent: str
    said: str = ""


def split_parts(clause: str) -> list[str]:
    """At the words that start another wish, never inside quotes."""
    clause = _POLITE_END.sub("", clause)
    quoted = [m.span() for m in _QUOTED.finditer(clause)]
    parts: list[str] = []
    start = 0
    for match in _NEXT.finditer(clause):
        if any(a <= match.start() < b for a, b in quoted):
            continue
        parts.append(clause[start : match.start()])
        start = match.end()
    parts.append(clause[start:])
    return [p for part in parts for p in _renames(part.strip(" ,;")) if p]


def _renames(part: str) -> list[str]:
    """ "rename a to b and c to d" says its verb once."""
    verb = _RENAMES.match(part)
    if verb is None or _QUOTED.search(part):
        return [part]
    first, *others = _PAIR.split(part)
    pairs = [first, *(f"{verb[0]}{other}" for other in others)]
    # A comma ends a name: what follows it is something else.
    return [piece.strip() for pair in pairs for piece in pair.split(",")]


def read_relation(part: str) -> Relation | None:
    """What a part says of two things: "each book belongs to a publisher"."""
    if match := _HAS_MANY.match(part):
        return Relation(child=noun_of(match["child"]), parent=noun_of(match["parent"]))
    if match := _BELONGS.match(part) or _LINK.match(part):
        return Relation(child=noun_of(match["child"]), parent=noun_of(match["parent"]))
    if match := _BELONGS_LIST.match(part) or _HAS.match(part):
        return Relation(child=noun_of(match["child"]), parent="", said=match["said"])
    return None
