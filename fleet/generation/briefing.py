"""What a producer is told of its task before the first step: from the record and the base alone."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from fleet.domain.catalog import CatalogNote
from fleet.domain.ids import CommitId
from fleet.domain.plan import Plan
from fleet.generation.context import CHARS_PER_TOKEN
from fleet.generation.life import Life
from fleet.generation.path import in_scope

MAX_LISTED = 800
MAX_TEXT_CHARS = 12_000
_LEFT_OUT = ("package-lock.json", ".appfleet/")


async def briefing(life: Life, plan: Plan, position: int, base: CommitId) -> JsonValue:
    """The base's files, not the work tree's: a successor must build the same bytes."""
    planned = plan.tasks[position - 1]
    entries = await life.deps.repositories.tree(life.project.id, base)
    texts = await life.deps.repositories.read_all(life.project.id, base, "")
    # A quarter of what a compacted conversation may hold.
    room = life.deps.settings.context_low_tokens * CHARS_PER_TOKEN // 4
    return {
        "title": planned.title,
        "instructions": planned.instructions,
        "scope": list(planned.scope),
        "acceptance": list(planned.acceptance),
        "design": plan.design,
        "contract": plan.contract.model_dump(mode="json"),
        "message": life.build.text,
        "position": position,
        "of": len(plan.tasks),
        "files": list[JsonValue]([entry.path for entry in entries][:MAX_LISTED]),
        "files_in_scope": dict[str, JsonValue](shown_files(texts, planned.scope, room)),
    }


def shown_files(texts: dict[str, str], scope: Sequence[str], room_chars: int) -> dict[str, str]:
    """The texts of files a task may write, the smallest first, as far as there is room."""
    shown: dict[str, str] = {}
    for path in sorted(texts, key=lambda p: (len(texts[p]), p)):
        text = texts[path]
        if path.startswith(_LEFT_OUT) or not in_scope(path, scope) or len(text) > MAX_TEXT_CHARS:
            continue
        if len(text) > room_chars:
            break
        room_chars -= len(text)
        shown[path] = text
    return dict(sorted(shown.items()))


def active_services(catalog: Sequence[CatalogNote], plan: Plan) -> list[CatalogNote]:
    """The plan's own; a plan that names none gets the whole catalog."""
    kinds = {service.kind for service in plan.services}
    return [note for note in catalog if note.kind in kinds] or list(catalog)
