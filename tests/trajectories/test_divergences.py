"""A replay says where today's code goes another way: shown by records that were tampered with."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.domain.build import BuildState, StepKind
from fleet.domain.chat import Role
from fleet.errors import InvalidInput
from fleet.generation.transcript import RecordedStep, Transcript, read_transcript, transcript_text
from tests.trajectories.record import record
from tests.trajectories.test_trajectories import named, play


async def found(transcript: Transcript) -> list[tuple[int, str]]:
    return [(d.step, d.what) for d in (await play(transcript)).divergences]


def changed(transcript: Transcript, number: int, **update: Any) -> Transcript:
    steps = tuple(
        s.model_copy(update=update) if s.number == number else s for s in transcript.steps
    )
    return transcript.model_copy(update={"steps": steps})


def step_of(transcript: Transcript, number: int) -> RecordedStep:
    return next(s for s in transcript.steps if s.number == number)


async def test_a_tool_that_answers_otherwise_is_found() -> None:
    transcript = named("simple-success")
    messages = tuple(
        m.model_copy(update={"content": "Wrote it."}) if m.role is Role.TOOL else m
        for m in step_of(transcript, 2).messages
    )
    assert await found(changed(transcript, 2, messages=messages)) == [(2, "result")]


async def test_other_writes_are_found() -> None:
    transcript = named("simple-success")
    assert await found(changed(transcript, 2, writes={"src/App.tsx": "0" * 16})) == [(2, "writes")]


async def test_a_prompt_of_another_shape_is_found() -> None:
    transcript = named("simple-success")
    prompt = "99 messages, 0000000000000000"
    assert await found(changed(transcript, 3, prompt=prompt)) == [(3, "prompt")]


async def test_a_rule_that_no_longer_acts_is_found() -> None:
    transcript = named("refusal-once")
    facts = {**step_of(transcript, 2).facts, "problem": "boredom"}
    assert await found(changed(transcript, 2, facts=facts)) == [(2, "fact problem")]


async def test_another_end_is_found() -> None:
    transcript = named("simple-success").model_copy(update={"state": BuildState.FAILED})
    assert await found(transcript) == [(0, "end")]


async def test_a_live_call_that_was_never_made_is_found() -> None:
    transcript = named("live-tools")
    number = 2
    step = step_of(transcript, number)
    said, *results = step.messages
    assert said.tool_calls[-1].name == "run_sql"
    calls = tuple(
        c.model_copy(update={"arguments": '{"sql": "select 2"}'}) if c.name == "run_sql" else c
        for c in said.tool_calls
    )
    raw_free = {k: v for k, v in step.facts.items() if k != "raw"}
    other = said.model_copy(update={"tool_calls": calls})
    tampered = changed(transcript, number, messages=(said, *results), facts=raw_free)
    assert await found(tampered) == []
    # The model now asks what the record holds no answer to.
    asked = changed(transcript, number, messages=(other, *results[:-1]), facts=raw_free)
    assert (number, "result") in await found(asked)


async def test_a_verdict_that_is_missing_ends_the_replay_at_once() -> None:
    transcript = named("red-then-mended").model_copy(update={"verdicts": ()})
    replayed = await play(transcript)
    assert replayed.now.state is BuildState.FAILED
    assert "no verdict on attempt 1" in replayed.now.explanation
    assert replayed.divergences[-1].what == "end"


async def test_missing_completions_end_the_replay_at_once() -> None:
    transcript = named("two-tasks")
    kept = tuple(s for s in transcript.steps if s.kind is not StepKind.PRODUCER)
    replayed = await play(transcript.model_copy(update={"steps": kept}))
    assert replayed.now.state is BuildState.FAILED
    assert "no more completions" in replayed.now.explanation


@pytest.mark.parametrize("name", ["red-then-mended", "compacted", "blueprint-follow-up"])
async def test_recording_again_changes_nothing(name: str) -> None:
    assert transcript_text(await record(name)) == transcript_text(named(name))


@pytest.mark.parametrize("text", ["", "{}", '{"version": 2}', "[1]"])
def test_a_file_that_is_no_transcript_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(InvalidInput, match="no transcript of version 1") as caught:
        read_transcript(text)
    assert "appfleet transcript" in caught.value.action
