"""What a producer is told before its first step, and how much of it."""

from __future__ import annotations

from fleet.domain.catalog import CatalogNote
from fleet.domain.plan import Plan
from fleet.generation.briefing import active_services, shown_files

CATALOG = [CatalogNote(kind=kind, title=kind, text=kind) for kind in ("postgres", "redis")]


def plan(*services: str) -> Plan:
    return Plan.model_validate(
        {
            "title": "T",
            "summary": "",
            "services": [{"kind": kind} for kind in services],
            "tasks": [{"title": "a", "instructions": "b"}],
            "contract": {},
        }
    )


def test_only_the_plans_own_services_are_explained() -> None:
    assert [n.kind for n in active_services(CATALOG, plan("redis"))] == ["redis"]
    assert [n.kind for n in active_services(CATALOG, plan())] == ["postgres", "redis"]


def test_files_in_scope_are_shown_the_smallest_first_as_far_as_there_is_room() -> None:
    texts = {
        "src/a.ts": "a" * 100,
        "src/b.ts": "b" * 10,
        "src/huge.ts": "h" * 50_000,
        "server/c.ts": "c",
        "package-lock.json": "{}",
        ".appfleet/spec.json": "{}",
    }
    assert list(shown_files(texts, ["src/**"], 1_000)) == ["src/a.ts", "src/b.ts"]
    assert list(shown_files(texts, ["src/**"], 50)) == ["src/b.ts"]
    assert "package-lock.json" not in shown_files(texts, ["**"], 100_000)
