"""A build on the real record and real git: killed at several points, it still ends right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fleet.domain.build import BuildState, StepKind
from fleet.drivers.git.repositories import GitRepositories
from fleet.drivers.postgres.store.store import PostgresStore
from tests.unit.generation_world import (
    CLAIM,
    Crash,
    Gate,
    Model,
    Tripwire,
    World,
    plan,
    task,
    write,
)


async def test_a_build_killed_again_and_again_ends_right_on_postgres_and_git(
    store_conninfo: str, tmp_path: Path
) -> None:
    model = Model(
        {
            "appfleet:request": [[plan(task("First"), task("Second"))]],
            '"title": "First"': [
                [write("server/router.ts", "BAD\n"), CLAIM],
                [("edit_file", {"path": "server/router.ts", "old": "BAD", "new": "é"}), CLAIM],
            ],
            '"title": "Second"': [[write("src/App.tsx", "<Good/>\n"), CLAIM]],
        }
    )
    world = World(model)
    store: Any = await PostgresStore.connect(store_conninfo, migrate=False)
    git: Any = GitRepositories(tmp_path)
    world.store, world.repositories, world.gate = store, git, Gate(git)
    try:
        build = await world.post()
        world.clock.time = build.created_at
        kills = 0
        for at in (7, 15, 22, 24, 29, 31, 26, 35, 0):
            try:
                await world.run(Tripwire(at, after=at % 2 == 0))
            except Crash:
                kills += 1
        done = await store.build(build.id)
        assert kills >= 4 and done.state is BuildState.SUCCEEDED, done
        steps = await store.steps(build.id)
        assert [s.number for s in steps] == list(range(1, len(steps) + 1))
        assert [s.kind for s in steps].count(StepKind.GATE) == 3
        head = await git.head(world.project)
        assert head == done.commit == (await store.project(world.project)).head
        assert await git.read(world.project, head, "server/router.ts") == "é\n"
    finally:
        await store.close()
