"""What the architect and the producer are told of a catalog entry."""

from __future__ import annotations

from fleet.domain.frozen import Frozen


class CatalogNote(Frozen):
    """`text` is the entry's own words; `example` maps file paths to working code."""

    kind: str
    title: str
    text: str
    example: dict[str, str] = {}
