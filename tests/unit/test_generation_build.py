"""The life of a build: green, red, resumed at every crash point, out of budget, lease lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from datetime import timedelta

import pytest

from fleet.domain.build import Build, BuildState, Step, StepKind, TaskState
from fleet.domain.chat import Role
from fleet.domain.event import EventKind
from fleet.domain.progress import notes_of
from fleet.domain.repository import NewCommit
from fleet.domain.verdict import GateRequest, Verdict
from fleet.errors import InfrastructureError, LeaseLost, ModelError
from fleet.ports import OnCheck
from fleet.settings import Settings
from tests.unit.generation_world import (
    CLAIM,
    LEASE_TTL_S,
    RENEWAL_S,
    SCAFFOLD,
    Call,
    Crash,
    Model,
    Tripwire,
    World,
    plan,
    task,
    write,
)


@pytest.fixture(autouse=True)
def _same_ids_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count(1)
    monkeypatch.setattr("fleet.domain.ids.random_suffix", lambda n=5: f"{next(numbers):0{n}d}")


GREEN = [[write("server/router.ts", "good\n")], [CLAIM]]
RED_THEN_GREEN = [
    [write("server/router.ts", "BAD\n"), CLAIM],
    [("edit_file", {"path": "server/router.ts", "old": "BAD", "new": "good"}), CLAIM],
]


def two_tasks() -> Model:
    return Model(
        {
            "appfleet:request": [
                [("list_files", {}), ("read_file", {"path": "src/App.tsx"})],
                [plan(task("First"), tables=["order"])],
                [plan(task("First", "server/**"), task("Second", "src/**"))],
            ],
            '"title": "First"': RED_THEN_GREEN,
            '"title": "Second"': [
                [("run_sql", {"sql": "select 1"}), write("src/App.tsx", "<Good/>\n")],
                [CLAIM],
            ],
        }
    )


async def record_at_the_end(world: World, build: Build) -> dict[str, object]:
    """What is on record at the end, without what only says when."""

    def shape(step: Step) -> dict[str, object]:
        return step.model_dump(mode="json", exclude={"created_at", "elapsed_s"})

    recorded = await world.store.build(build.id)
    project = await world.store.project(world.project)
    return {
        "state": recorded.state,
        "commit": recorded.commit,
        "usage": recorded.usage,
        "head": project.head,
        "title": project.title,
        "main": await world.repositories.head(world.project),
        "branch": await world.repositories.head(world.project, f"build/{build.id}"),
        "steps": [shape(s) for s in await world.store.steps(build.id)],
        "tasks": [(t.title, t.state, t.attempts) for t in await world.store.tasks(build.id)],
        "verdicts": [(v.attempt, v.verdict.commit) for v in await world.store.verdicts(build.id)],
        "resources": [(r.kind, r.name, r.scope) for r in await world.store.resources()],
        "dev": world.converge.commits[-1],
    }


async def test_a_message_becomes_a_verified_commit_on_main() -> None:
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}))
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.SUCCEEDED, done
    head = await world.repositories.head(world.project)
    assert head is not None
    assert head == (await world.store.project(world.project)).head == done.commit
    assert world.converge.commits[-1] == head
    files = await world.repositories.read_all(world.project, head, "")
    assert files["server/router.ts"] == "good\n"
    assert ".appfleet/spec.json" in files and files["package.json"] == SCAFFOLD["package.json"]
    assert world.gate.requests[0].run == f"{build.id}.1.1"
    assert world.gate.requests[0].base is None
    assert done.explanation.startswith("Customers is running and verified")
    kinds = await world.events()
    for kind in ("plan.ready", "task.started", "gate.started", "check.finished", "gate.finished"):
        assert kinds.count(kind) == 1, kinds
    assert kinds[-1] == "build.finished" and kinds.index("app.ready") > kinds.index("task.done")


async def test_a_red_gate_reopens_the_task_with_its_evidence() -> None:
    model = Model({"appfleet:request": [[plan()]], "appfleet:task": RED_THEN_GREEN})
    world = World(model)
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.SUCCEEDED
    (only,) = await world.store.tasks(build.id)
    assert (only.state, only.attempts) == (TaskState.DONE, 2)
    evidence = model.requests[-1].messages[-1]
    assert evidence.role is Role.USER and "json appfleet:evidence" in evidence.content
    block = evidence.content.split("```json appfleet:evidence\n")[1].split("\n```")[0]
    finding = json.loads(block)["findings"][0]
    assert finding["check"] == "typescript" and finding["where"] == "server/router.ts"
    assert "task.reopened" in await world.events()


async def test_a_second_message_starts_from_the_green_commit_and_knows_the_first() -> None:
    model = Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN})
    world = World(model)
    await world.post()
    first = await world.run()
    assert first is not None
    model._scripts = {
        "appfleet:request": [[plan()]],
        "appfleet:task": [[write("src/App.tsx", "<New/>\n"), CLAIM]],
    }
    await world.post("Add a field")
    second = await world.run()
    assert second is not None and second.state is BuildState.SUCCEEDED
    assert second.base == first.commit == world.gate.requests[-1].base
    asked = next(r for r in reversed(model.requests) if "appfleet:request" in r.messages[1].content)
    block = asked.messages[1].content.split("```json appfleet:request\n")[1].split("\n```")[0]
    outcome = json.loads(block)["last_outcome"]
    assert outcome["state"] == "succeeded" and outcome["contract"]["pages"] == ["/"]


async def test_killed_at_any_call_a_build_ends_the_same() -> None:
    """Kills before and after each store, repository, gate, timeline and converge call in turn.

    What a kill after the final state leaves of the draft twin is the sweep's to remove.
    """
    world = World(two_tasks())
    build = await world.post()
    wire = Tripwire()
    done = await world.run(wire)
    assert done is not None and done.state is BuildState.SUCCEEDED, done
    expected, calls = await record_at_the_end(world, build), wire.count
    assert [t[2] for t in expected["tasks"]] == [2, 1]  # type: ignore[attr-defined]
    assert calls > 60
    for at, after in itertools.product(range(1, calls + 1), (False, True)):
        await _killed_once(at, after, expected)


async def _killed_once(at: int, after: bool, expected: dict[str, object]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        numbers = itertools.count(1)
        patch.setattr("fleet.domain.ids.random_suffix", lambda n=5: f"{next(numbers):0{n}d}")
        world = World(two_tasks())
        build = await world.post()
        with contextlib.suppress(Crash):
            await world.run(Tripwire(at, after))
        await world.run()
        await world.sweep()
        told = await record_at_the_end(world, build)
    assert told == expected, f"killed {'after' if after else 'before'} call {at}"


async def test_killed_again_and_again_a_build_still_ends_the_same() -> None:
    world = World(two_tasks())
    build = await world.post()
    for at in range(1, 400):
        try:
            await world.run(Tripwire(at=at % 23 + 8, after=at % 2 == 0))
        except Crash:
            continue
        break
    recorded = await world.store.build(build.id)
    assert recorded.state is BuildState.SUCCEEDED
    steps = await world.store.steps(build.id)
    assert [s.number for s in steps] == list(range(1, len(steps) + 1))
    assert [s.kind for s in steps].count(StepKind.GATE) == 3


async def test_a_gate_that_cannot_judge_is_asked_again_and_is_no_red() -> None:
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}))
    world.gate.faults = [InfrastructureError("no worker"), InfrastructureError("no worker")]
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.SUCCEEDED
    assert (await world.store.tasks(build.id))[0].attempts == 1
    assert world.clock.slept == [1.0, 2.0]


async def test_a_gate_that_never_can_judge_ends_the_build_and_blames_the_platform() -> None:
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}))
    world.gate.faults = [InfrastructureError("no worker")] * 50
    await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.FAILED
    assert "platform" in done.explanation and "no worker" in done.explanation
    assert len(world.gate.requests) <= 5


async def test_a_task_that_stays_red_fails_and_main_stays_where_it_was() -> None:
    bad = [[write("a.ts", f"BAD {n}\n"), CLAIM] for n in range(5)]
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": bad}))
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.FAILED
    assert "BAD in a.ts" in done.explanation
    (only,) = await world.store.tasks(build.id)
    assert only.state is TaskState.FAILED and only.attempts == 3
    main = await world.repositories.head(world.project)
    assert main is not None
    files = await world.repositories.read_all(world.project, main, "")
    assert "a.ts" not in files
    assert (await world.store.project(world.project)).head is None


async def test_a_model_that_cannot_be_reached_fails_the_build_with_its_words() -> None:
    down = ModelError("The model does not answer.", action="Start it.", retryable=True)
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": [down]}))
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.FAILED
    assert "The model does not answer. Start it." in done.explanation
    assert (await world.store.tasks(build.id))[0].state is TaskState.FAILED


async def test_invalid_plans_are_sent_back_a_bounded_number_of_times() -> None:
    model = Model({"appfleet:request": [[plan(tables=["order"])], [("submit_plan", {})], "Hm."]})
    world = World(model)
    await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.FAILED
    assert len(model.requests) == 3
    refused = [m.content for m in model.requests[-1].messages if m.role is Role.TOOL]
    assert "reserved word of SQL" in refused[0] and "title: Field required" in refused[1]


async def test_a_spent_budget_ends_the_build_plainly() -> None:
    looking: list[list[Call]] = [[("list_files", {"pattern": f"{n}*"})] for n in range(50)]
    model = Model({"appfleet:request": [[plan()]], "appfleet:task": looking})
    world = World(model, Settings(lease_ttl_s=LEASE_TTL_S, max_steps=5))
    await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.OUT_OF_BUDGET
    assert "5 steps" in done.explanation and len(model.requests) == 5


async def test_a_model_in_circles_is_stopped_after_four_levels_each_with_its_event() -> None:
    same: list[list[Call]] = [[("read_file", {"path": "package.json"})]]
    model = Model({"appfleet:request": [[plan()]], "appfleet:task": same})
    world = World(model)
    await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.FAILED
    assert "repeated the same call" in done.explanation
    assert "a pointed message, a forced choice of tools and a fresh context" in done.explanation
    events = await world.store.events(world.project, 0)
    levels = [e.payload["level"] for e in events if e.kind is EventKind.SPIRAL_SAME_CALL]
    assert levels == ["message", "forced", "fresh", "failed"]
    asked = model.requests[1:]
    assert [r.tool_choice for r in asked].count("required") == 1
    refused = [m for r in asked for m in r.messages if "may call only" in m.content]
    assert any(m.role is Role.TOOL for m in refused)
    assert "appfleet:progress" in asked[-1].messages[2].content


async def test_a_task_that_a_rule_gives_up_is_not_reopened_and_its_diagnosis_comes_once() -> None:
    bad = [[write("a.ts", f"BAD {n}\n"), CLAIM] for n in range(30)]
    model = Model({"appfleet:request": [[plan()]], "appfleet:task": bad})
    world = World(model, Settings(lease_ttl_s=LEASE_TTL_S, max_task_attempts=20))
    await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.FAILED
    events = await world.store.events(world.project, 0)
    kinds = [e.kind.value for e in events]
    given_up = max(i for i, e in enumerate(events) if e.payload.get("level") == "failed")
    assert "task.reopened" in kinds[:given_up]
    assert kinds[given_up + 1 :] == ["task.failed", "build.finished"]
    assert "did not help" in str(events[given_up + 1].payload["reason"])
    assert "did not help" not in str(events[given_up].payload["text"])


async def test_a_lost_lease_stops_everything_at_once() -> None:
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}))

    judging, renew = asyncio.Event(), asyncio.Event()

    class Stuck:
        async def verify(self, *_: object) -> None:
            judging.set()
            await asyncio.Event().wait()

    async def sleep(seconds: float) -> None:
        if seconds == RENEWAL_S:
            await renew.wait()

    world.gate = Stuck()  # type: ignore[assignment]
    world.clock.sleep = sleep  # type: ignore[method-assign]
    build = await world.post()
    running = asyncio.create_task(world.run())
    await judging.wait()
    await world.store.release_leases_of("host")
    before = await _record(world, build)
    renew.set()
    with pytest.raises(LeaseLost):
        await running
    assert await _record(world, build) == before


async def _record(world: World, build: Build) -> tuple[object, ...]:
    return (
        await world.store.build(build.id),
        await world.store.steps(build.id),
        await world.events(),
    )


async def test_the_draft_twin_has_rows_before_it_exists_and_none_after_the_build() -> None:
    calls: list[list[Call]] = [
        [write("db/migrations/0001_a.sql", "create table a ();"), ("typecheck", {})],
        [("run_sql", {"sql": "select 1"}), write("server/router.ts", "x"), CLAIM],
    ]
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": calls}))
    build = await world.post()
    done = await world.run()
    assert done is not None and done.state is BuildState.SUCCEEDED
    assert world.timelines.branches == [(f"{world.project}.dev", f"{build.id}.draft")]
    assert world.timelines.migrated == [["db/migrations/0001_a.sql"]]
    assert world.runtime.commands == [("tsc", "--noEmit", "--pretty", "false")]
    assert [r.scope for r in await world.store.resources()] == ["project"]
    sql = [r.statement for s in await world.store.steps(build.id) for r in notes_of(s.facts).sql]
    assert sql == ["select 1"]


async def test_a_main_that_moved_meanwhile_ends_the_build_instead_of_being_overwritten() -> None:
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}))
    await world.post()
    judge = world.gate.verify

    async def moved(request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        tip = await world.repositories.head(world.project)
        other = NewCommit(parent=tip, changes={"x": "y"}, message="other", at=world.clock.now())
        commit = await world.repositories.commit(world.project, other)
        await world.repositories.advance(world.project, "main", commit, tip)
        return await judge(request, on_check)

    world.gate.verify = moved  # type: ignore[method-assign]
    done = await world.run()
    assert done is not None and done.state is BuildState.FAILED
    assert "has moved meanwhile" in done.explanation


async def test_a_build_whose_time_is_over_is_not_resumed_for_ever() -> None:
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}))
    await world.post()
    with contextlib.suppress(Crash):
        await world.run(Tripwire(at=20))
    world.clock.time += timedelta(hours=2)
    done = await world.run()
    assert done is not None and done.state is BuildState.OUT_OF_BUDGET
    assert "3600 seconds" in done.explanation
