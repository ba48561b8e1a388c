"""Records every trajectory anew: `python -m tests.trajectories.record [NAME…]`.

Whole builds run in memory with the models of `shapes` and with blueprint; what each came to is
exported as any build is. Ids and commits are replaced by steady ones, so that recording again
changes nothing where the code does nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fleet.domain.build import Build
from fleet.domain.chat import Completion, CompletionRequest
from fleet.domain.verdict import (
    CheckName,
    CheckOutcome,
    CheckResult,
    Finding,
    GateRequest,
    Verdict,
)
from fleet.domain.workload import PackageChange, PackageManifest
from fleet.errors import ModelError
from fleet.generation.transcript import Transcript, export, read_transcript, transcript_text
from fleet.ports import OnCheck, OnText
from serve.models.blueprint import parse_model_name, speak
from tests.trajectories.shapes import SHAPES, Shape, calls
from tests.unit import generation_world
from tests.unit.blueprint_driver import scaffold_files
from tests.unit.generation_world import LEASE_TTL_S, World, plan

FOLDER = Path(__file__).parent / "transcripts"
CATALOG = ("postgres", "react-app", "trpc-api")
# Recorded with the built-in model on the real scaffold: name of the model, messages.
BLUEPRINTS: dict[str, tuple[str, Sequence[str]]] = {
    "blueprint-timer": ("blueprint", ("A pomodoro timer",)),
    "blueprint-crm": ("blueprint", ("A CRM: customers with name and email",)),
    "blueprint-follow-up": (
        "blueprint",
        ("A CRM: customers with name and email", "Add a phone to customers"),
    ),
    "blueprint-type-error": ("blueprint+type-error", ("A pomodoro timer",)),
    "blueprint-scope-escape": ("blueprint+scope-escape", ("A pomodoro timer",)),
    "blueprint-risky-sql": ("blueprint+risky-sql", ("A pomodoro timer",)),
}


class Scripted:
    """Says its script's next words by what it is asked for, the last ones again and again."""

    def __init__(self, shape: Shape) -> None:
        self._said: dict[str, Iterator[Completion]] = {
            "architect": _endless(shape.architect or (calls(plan()),)),
            "producer": _endless(shape.producer),
            "analysis": iter(shape.analysis),
        }

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        tools = {tool.name for tool in request.tools}
        role = "producer" if "claim_done" in tools else "architect" if tools else "analysis"
        said = next(self._said[role], None)
        if said is None:
            raise ModelError("No analysis model is there.", retryable=False)
        return said


class Blueprint:
    def __init__(self, name: str) -> None:
        self._name = name

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        behaviour = parse_model_name(self._name)
        assert behaviour is not None, self._name
        return speak(request, behaviour).completion


class TypeGate:
    """Red, as the compiler would be, while the menu holds blueprint's type error."""

    def __init__(self, world: World) -> None:
        self._repositories = world.repositories

    async def verify(self, request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        path = "src/navigation.ts"
        text = await self._repositories.read_all(request.project, request.commit, path)
        wrong = "String(navigation.length)" in text.get(path, "")
        found = (Finding(where=path, code="TS2322", message="No.", line=9),) if wrong else ()
        outcome = CheckOutcome.FAILED if wrong else CheckOutcome.PASSED
        result = CheckResult(check=CheckName.TYPESCRIPT, outcome=outcome, findings=found)
        return Verdict(commit=request.commit, results=(result,), elapsed_s=0.5)


async def add_packages(manifest: PackageManifest, change: PackageChange) -> PackageManifest:
    """As npm would, had every package one version."""
    package = json.loads(manifest.package)
    package["dependencies"] = {name: "4.1.0" for name in change.add}
    return PackageManifest(package=json.dumps(package) + "\n", lock='{"lockfileVersion": 3}\n')


def _endless(said: Sequence[Completion]) -> Iterator[Completion]:
    yield from said
    while True:
        yield said[-1]


async def record_shape(shape: Shape) -> Transcript:
    settings = {"lease_ttl_s": LEASE_TTL_S, "max_task_attempts": 3, **shape.settings}
    world = World(Scripted(shape), generation_world.Settings(**settings))
    runtime: Any = world.runtime
    runtime.change_packages = add_packages
    build = await _run(world, shape.messages)
    for _ in range(shape.continues):
        await world.store.continue_build(build.id)
        await world.run()
    return await _steady(world, build, ("react-app",))


async def record_blueprint(name: str, messages: Sequence[str]) -> Transcript:
    kept, generation_world.SCAFFOLD = generation_world.SCAFFOLD, scaffold_files()
    try:
        settings = generation_world.Settings(lease_ttl_s=LEASE_TTL_S)
        world = World(Blueprint(name), settings, services=CATALOG)
        gate: Any = TypeGate(world)
        world.gate = gate
        return await _steady(world, await _run(world, messages), CATALOG)
    finally:
        generation_world.SCAFFOLD = kept


async def _run(world: World, messages: Sequence[str]) -> Build:
    build: Build | None = None
    for message in messages:
        posted = await world.post(message)
        build = await world.run()
        assert build is not None, posted
        world.clock.time += generation_world.timedelta(minutes=1)
    assert build is not None
    return build


async def _steady(world: World, build: Build, catalog: Sequence[str]) -> Transcript:
    found = await export(world.store, world.repositories, build.id, world.settings, catalog)
    text = transcript_text(found)
    ids = {str(build.id): "bld_recorded"}
    commits = {str(s.facts[n]) for s in found.steps for n in ("base", "commit") if n in s.facts}
    commits |= {v.verdict.commit for v in found.verdicts}
    for commit in sorted(commits, key=text.find):
        steady = hashlib.sha1(f"commit {len(ids)}".encode()).hexdigest()
        ids |= {commit[:length]: steady[:length] for length in (40, 12, 8)}
    for task in await world.store.tasks(build.id):
        ids[str(task.id)] = f"tsk_{task.position}"
    for name in sorted(ids, key=len, reverse=True):
        text = text.replace(name, ids[name])
    return read_transcript(text)


async def record(name: str) -> Transcript:
    if name in SHAPES:
        return await record_shape(SHAPES[name])
    return await record_blueprint(*BLUEPRINTS[name])


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] or [*SHAPES, *BLUEPRINTS]:
        transcript = asyncio.run(record(name))
        (FOLDER / f"{name}.json").write_text(transcript_text(transcript))
        sys.stdout.write(f"{name}: {transcript.state}, {len(transcript.steps)} steps\n")


if __name__ == "__main__":
    main()
