"""Records that end by no decision of the generator: a replay goes just as far as they do; and gate
steps that tell other than their verdict."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli.commands import app
from fleet.domain.build import BuildState, StepKind
from fleet.domain.chat import Completion, CompletionRequest
from fleet.domain.verdict import GateRequest, Verdict
from fleet.errors import InfrastructureError, ModelError
from fleet.generation.transcript import Transcript, export, transcript_text
from fleet.ports import OnCheck, OnText
from fleet.settings import Settings
from tests.trajectories.test_divergences import changed, found, step_of
from tests.trajectories.test_trajectories import named, play
from tests.unit.generation_world import LEASE_TTL_S, Model, World, plan
from tests.unit.test_generation_build import GREEN


class BrokenGate:
    async def verify(self, request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        raise InfrastructureError("The gate is out of reach.")


class MuteAfter(Model):
    """The model is there for the plan, and then no more."""

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        if len(self.requests) >= 2:
            raise ModelError("The key was withdrawn.", retryable=False)
        return await super().complete(request, on_text)


def world_of(model: type[Model] = Model, **settings: int) -> World:
    script = {"appfleet:request": [[plan()]], "appfleet:task": GREEN}
    return World(model(script), Settings(lease_ttl_s=LEASE_TTL_S).model_copy(update=settings))


async def exported(world: World) -> Transcript:
    build = await world.post()
    await world.run()
    return await export(world.store, world.repositories, build.id, world.settings, ("react-app",))


async def platform_failed() -> Transcript:
    world = world_of()
    gate: object = BrokenGate()
    world.gate = gate  # type: ignore[assignment]
    return await exported(world)


async def model_failed() -> Transcript:
    return await exported(world_of(MuteAfter))


async def owner_had_spent() -> Transcript:
    world = world_of(owner_max_steps=4)
    await world.post()
    await world.run()
    return await exported(world)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (platform_failed, "the platform failed"),
        (model_failed, "the model failed"),
        (owner_had_spent, "other builds of the owner had spent what there was"),
    ],
)
async def test_a_record_that_was_cut_short_is_replayed_as_far_as_it_goes(
    make: Callable[[], Awaitable[Transcript]], why: str
) -> None:
    transcript = await make()
    assert transcript.state is not BuildState.SUCCEEDED, transcript.explanation
    replayed = await play(transcript)
    assert replayed.divergences == ()
    assert replayed.ends == why
    assert len(replayed.now.steps) == len(transcript.steps)


async def test_a_build_still_at_work_is_replayed_as_far_as_it_came() -> None:
    done = named("red-then-mended")
    gates = [s.number for s in done.steps if s.kind is StepKind.GATE]
    update = {"steps": done.steps[: gates[0] - 1], "verdicts": (), "explanation": ""}
    running = done.model_copy(update={**update, "state": BuildState.PRODUCING})
    replayed = await play(running)
    assert (replayed.divergences, replayed.ends) == ((), "the build was still producing")


async def test_a_record_cut_short_still_shows_where_today_goes_another_way() -> None:
    transcript = await platform_failed()
    assert await found(changed(transcript, 2, writes={})) == [(2, "writes")]


async def test_the_command_says_that_the_record_ends_there(tmp_path: Path) -> None:
    file = tmp_path / "fault.json"
    file.write_text(transcript_text(await platform_failed()))
    result = await asyncio.to_thread(CliRunner().invoke, app, ["replay", str(file)])
    assert result.exit_code == 0, result.output
    assert "the record ends here: the platform failed" in result.output
    result = await asyncio.to_thread(CliRunner().invoke, app, ["replay", str(file), "--json"])
    assert json.loads(result.output)["ends"] == "the platform failed"


@pytest.mark.parametrize("fact", ["told", "evidence", "fingerprints", "attempt", "green"])
async def test_a_gate_step_that_tells_other_than_its_verdict_is_found(fact: str) -> None:
    transcript = named("red-then-mended")
    gate = next(s.number for s in transcript.steps if s.kind is StepKind.GATE)
    facts = {**step_of(transcript, gate).facts, fact: ["something else"]}
    assert (gate, f"fact {fact}") in await found(changed(transcript, gate, facts=facts))
