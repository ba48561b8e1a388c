"""Every fault through the real loop of generation, on doubles at the ports: it ends as stated."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from fleet.domain.build import Build, BuildState, Step, StepKind
from fleet.domain.chat import ChatMessage, Completion, CompletionRequest
from fleet.domain.progress import notes_of
from fleet.domain.verdict import (
    CheckName,
    CheckOutcome,
    CheckResult,
    Finding,
    GateRequest,
    Verdict,
)
from fleet.ports import OnCheck, OnText
from fleet.settings import Settings
from serve.models.blueprint import End, Fault, parse_model_name, speak
from serve.models.blueprint.fault import MISTAKES
from serve.models.blueprint.misbehaviour.detour import OUTSIDE_PATH, RISKY_SQL
from tests.unit.blueprint_driver import scaffold_files
from tests.unit.generation_world import LEASE_TTL_S, Crash, Tripwire, World

MESSAGE = "A pomodoro timer"
NOTES = 200


@dataclass
class Blueprint:
    """The built-in model without a wire between."""

    name: str
    requests: list[CompletionRequest] = field(default_factory=list)

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        self.requests.append(request)
        behaviour = parse_model_name(self.name)
        assert behaviour is not None, self.name
        return speak(request, behaviour).completion


class TypeGate:
    """Red while the menu holds blueprint's type error; names it as the compiler does."""

    def __init__(self, world: World) -> None:
        self._repositories = world.repositories

    async def verify(self, request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        files = await self._repositories.read_all(request.project, request.commit, "")
        path = "src/navigation.ts"
        wrong = "String(navigation.length)" in files.get(path, "")
        found = (Finding(where=path, code="TS2322", message="No.", line=9),) if wrong else ()
        outcome = CheckOutcome.FAILED if wrong else CheckOutcome.PASSED
        result = CheckResult(check=CheckName.TYPESCRIPT, outcome=outcome, findings=found)
        return Verdict(commit=request.commit, results=(result,), elapsed_s=0.5)


@dataclass
class Ran:
    build: Build
    steps: list[Step]
    events: list[str]
    files: dict[str, str]
    world: World

    @property
    def problems(self) -> set[str]:
        return {str(s.facts["problem"]) for s in self.steps if "problem" in s.facts}

    @property
    def levels(self) -> list[str]:
        found = [s.facts["spiral"] for s in self.steps if "spiral" in s.facts]
        return [str(f["level"]) for f in found if isinstance(f, dict)]


@pytest.fixture(autouse=True)
def _real_scaffold_and_steady_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count(1)
    monkeypatch.setattr("fleet.domain.ids.random_suffix", lambda n=5: f"{next(numbers):0{n}d}")
    monkeypatch.setattr("tests.unit.generation_world.SCAFFOLD", scaffold_files())


def world_of(name: str, **bounds: Any) -> World:
    settings = Settings(lease_ttl_s=LEASE_TTL_S, **bounds)
    world = World(Blueprint(name), settings, services=("react-app", "postgres", "trpc-api"))
    gate: Any = TypeGate(world)
    world.gate = gate
    return world


async def built(name: str, **bounds: Any) -> Ran:
    world = world_of(name, **bounds)
    await world.post(MESSAGE)
    return await ran(world)


async def ran(world: World) -> Ran:
    done = await world.run()
    assert done is not None
    steps = list(await world.store.steps(done.id))
    files: dict[str, str] = {}
    if done.commit:
        files = dict(await world.repositories.read_all(world.project, done.commit, ""))
    return Ran(done, steps, await world.events(), files, world)


EXACT = [f for f in Fault if f and f not in MISTAKES]


@pytest.mark.parametrize("fault", [*EXACT, Fault.TYPE_ERROR], ids=lambda f: f.value)
async def test_a_build_with_a_fault_ends_as_the_table_says(fault: Fault) -> None:
    name = f"blueprint+{fault.value}"
    behaviour = parse_model_name(name)
    assert behaviour is not None
    done = await built(name)
    expected = behaviour.expected
    assert done.build.state.value == expected.end.value, done.build.explanation
    assert expected.told in done.build.explanation
    if expected.end is End.SUCCEEDED:
        right = await built("blueprint")
        outside = {OUTSIDE_PATH} & set(done.files)
        assert {p: t for p, t in done.files.items() if p not in outside} == right.files


async def test_a_diagnosis_loop_is_broken_by_a_message() -> None:
    done = await built("blueprint+diagnose-loop")
    assert "spiral.no_edit" in done.events
    assert done.levels == ["message"]


async def test_an_undo_loop_goes_on_after_a_message_and_ends_when_forced() -> None:
    done = await built("blueprint+undo-loop")
    assert {"spiral.alternating", "spiral.rewrites"} & set(done.events)
    assert done.levels == ["message", "forced"]


async def test_the_same_mistake_after_every_red_gate_fails_the_task() -> None:
    done = await built("blueprint+same-mistake")
    assert "spiral.same_evidence" in done.events
    assert "task.failed" in done.events
    assert done.build.commit is None


async def test_an_oversized_file_is_refused_twice_and_then_split() -> None:
    done = await built("blueprint+oversized-file")
    assert "spiral.oversized" in done.events
    assert done.levels == ["message"]


async def test_a_refusal_ends_with_the_models_own_words() -> None:
    done = await built("blueprint+refusal")
    assert "I can't help with building this" in done.build.explanation
    assert sum(s.kind is StepKind.PRODUCER for s in done.steps) <= 3


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("raw-tool-call", "raw_call"),
        ("truncated-json", "truncated"),
        ("empty-answers", "empty"),
        ("endless-reasoning", "reasoning"),
        ("unknown-tool", "unknown_tool"),
    ],
)
async def test_a_malformed_answer_is_recorded_as_what_it_was(fault: str, problem: str) -> None:
    assert problem in (await built(f"blueprint+{fault}")).problems


async def test_leaving_the_scope_is_recorded_with_its_reason() -> None:
    done = await built("blueprint+scope-escape")
    assert OUTSIDE_PATH in done.files
    assert "scope.left" in done.events


async def test_risky_statements_take_a_checkpoint_before_they_run() -> None:
    done = await built("blueprint+risky-sql")
    assert "checkpoint.taken" in done.events
    assert done.world.checkpoints.taken
    assert [r.statement for s in done.steps for r in notes_of(s.facts).sql] == list(RISKY_SQL)


@pytest.mark.parametrize("seed", range(1, 13))
async def test_a_seeds_mixture_is_reproducible_and_ends_in_success(seed: int) -> None:
    done, again = await built(f"blueprint+seed-{seed}"), await built(f"blueprint+seed-{seed}")
    assert done.build.state is BuildState.SUCCEEDED, done.build.explanation
    assert [s.title for s in done.steps] == [s.title for s in again.steps]


async def test_seeds_differ() -> None:
    titles = {
        tuple(s.title for s in (await built(f"blueprint+seed-{seed}")).steps) for seed in range(5)
    }
    assert len(titles) == 5


@pytest.mark.parametrize(
    "name",
    [
        "blueprint+slow+raw-tool-call",
        "blueprint+diagnose-loop+undo-loop+raw-tool-call",
        "blueprint+type-error+truncated-json+empty-answers",
        "blueprint+scope-escape+one-by-one+endless-reasoning",
        "blueprint+parallel+raw-tool-call",
    ],
)
async def test_several_faults_at_once_still_end_in_success(name: str) -> None:
    done = await built(name)
    assert done.build.state is BuildState.SUCCEEDED, done.build.explanation


def told_unchanged(done: Ran) -> list[ChatMessage]:
    return [m for s in done.steps for m in s.messages if m.content.startswith("Unchanged")]


LONG = {"context_high_tokens": 30_000, "context_low_tokens": 12_000}


async def test_a_build_of_two_hundred_steps_is_compacted_and_repeats_none() -> None:
    done = await built(f"blueprint+long-{NOTES}", **LONG)
    assert done.build.state is BuildState.SUCCEEDED, done.build.explanation
    assert sum(s.kind is StepKind.PRODUCER for s in done.steps) > NOTES
    assert done.events.count("context.compacted") >= 3
    written = Counter(p for s in done.steps for p in s.writes)
    assert len(written) > NOTES
    assert set(written.values()) == {1}
    assert [m.content for m in told_unchanged(done)] == []
    right = await built("blueprint")
    notes = {p: t for p, t in done.files.items() if p not in right.files}
    assert len(set(notes.values())) == NOTES == len(notes)
    assert {p: t for p, t in done.files.items() if p not in notes} == right.files


async def test_a_mistake_stays_mended_when_its_evidence_is_compacted_away() -> None:
    name = "blueprint+type-error+long-60"
    done = await built(name, context_high_tokens=22_000, context_low_tokens=10_000)
    assert done.build.state is BuildState.SUCCEEDED, done.build.explanation
    written = Counter(p for s in done.steps for p in s.writes)
    assert {p for p, count in written.items() if count > 1} == {"src/navigation.ts"}


@pytest.mark.parametrize("at", [60, 140])
async def test_a_successor_goes_on_with_a_long_build_of_mixed_faults(at: int) -> None:
    world = world_of("blueprint+long-60+raw-tool-call", **LONG)
    await world.post(MESSAGE)
    with pytest.raises(Crash):
        await world.run(Tripwire(at=at))
    done = await ran(world)
    assert done.build.state is BuildState.SUCCEEDED, done.build.explanation
    assert set(Counter(p for s in done.steps for p in s.writes).values()) == {1}
