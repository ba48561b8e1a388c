"""Whole builds with models that answer badly, over HTTP, against the strictest server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.domain.build import BuildState, Step, StepKind
from fleet.drivers.openai.model import OpenAIChatModel
from fleet.generation.malformed import Problem
from tests.strict_server import Said, StrictServer
from tests.unit.generation_world import CLAIM, World, plan, write

GOOD = write("src/App.tsx", "<main/>\n")


def calling(*calls: tuple[str, Any], finish: str = "tool_calls") -> Said:
    """Arguments that are text go over the wire as they are."""
    parts = [
        {
            "index": index,
            "id": f"call_{index}",  # the same ids in every answer, as many servers number them
            "function": {
                "name": name,
                "arguments": said if isinstance(said, str) else json.dumps(said),
            },
        }
        for index, (name, said) in enumerate(calls)
    ]
    return [{"role": "assistant", "content": None, "tool_calls": [p]} for p in parts], finish


def saying(text: str, finish: str = "stop", **delta: str) -> Said:
    return [{"role": "assistant", "content": text, **delta}], finish


WRITE_JSON = json.dumps({"name": GOOD[0], "arguments": GOOD[1]})
CUT_WRITE = '{"path": "src/App.tsx", "content": "<main>'
SORRY = "I'm sorry, but I can't help with that request."

# What the model says first; then it writes and claims as it should.
SHAPES: dict[str, tuple[Problem, list[Said]]] = {
    "a call in hermes tags": (
        Problem.RAW_CALL,
        [saying(f"I write it.\n<tool_call>\n{WRITE_JSON}\n</tool_call>")],
    ),
    "a call in a fence": (Problem.RAW_CALL, [saying(f"Here:\n```json\n{WRITE_JSON}\n```")]),
    "a call as a function tag": (
        Problem.RAW_CALL,
        [saying(f"<function=write_file>{json.dumps(GOOD[1])}</function>")],
    ),
    "arguments cut by the length": (
        Problem.TRUNCATED,
        [calling(("list_files", {}), ("write_file", CUT_WRITE), finish="length")],
    ),
    "arguments cut without saying so": (Problem.TRUNCATED, [calling(("write_file", CUT_WRITE))]),
    "a call in tags, cut": (
        Problem.TRUNCATED,
        [saying(f'<tool_call>{{"name": "write_file", "arguments": {CUT_WRITE}', "length")],
    ),
    "arguments that are no JSON": (
        Problem.BAD_JSON,
        [calling(("write_file", '{"path": "a.ts", "content": "say "hi" now"}'))],
    ),
    "an unknown tool": (Problem.UNKNOWN_TOOL, [calling(("wrote a file!", GOOD[1]))]),
    "a tool of a name space": (Problem.UNKNOWN_TOOL, [calling(("functions.write_file", GOOD[1]))]),
    "wrong types that have one meaning": (
        Problem.WRONG_TYPES,
        [calling(("read_file", {"path": "package.json", "first_line": "1", "last_line": "2"}))],
    ),
    "wrong types": (Problem.WRONG_TYPES, [calling(("read_file", {"path": 5, "extra": [1]}))]),
    "arguments encoded twice": (
        Problem.NONE,
        [calling(("write_file", json.dumps(json.dumps(GOOD[1]))))],
    ),
    "an empty answer": (Problem.EMPTY, [saying("")]),
    "NUL and half a character": (Problem.NONE, [saying("\0 \ud83d what?")]),
    "thinking without end": (
        Problem.REASONING,
        [saying("", "length", reasoning_content="Hmm. " * 400)],
    ),
    "thinking in tags": (
        Problem.REASONING,
        [saying(f"<think>I could <tool_call>{WRITE_JSON}</tool_call> or", "length")],
    ),
    "one refusal": (Problem.REFUSAL, [saying(SORRY)]),
    "a refusal in its own field": (Problem.REFUSAL, [saying("", refusal="No.")]),
    "a content filter": (Problem.REFUSAL, [saying("", "content_filter")]),
    "too many calls": (Problem.TOO_MANY_CALLS, [calling(*[("list_files", {})] * 70)]),
    "text without calls": (Problem.NONE, [saying("All is well.")]),
}


async def build_with(*said: Said, alternating: bool = False) -> tuple[World, StrictServer, Any]:
    """A build whose producer first says these, then writes and claims done."""
    producer, asked = [*said, calling(GOOD), calling(CLAIM)], list[Any]()

    def script(body: dict[str, Any], _: int) -> Said:
        tools = {t["function"]["name"] for t in body.get("tools", ())}
        if "submit_plan" in tools:
            return calling(plan())
        if "claim_done" not in tools:
            return saying("Nothing worth telling.")
        asked.append(body)
        return producer[min(len(asked), len(producer)) - 1]

    async with StrictServer(script, alternating=alternating) as server:
        model = OpenAIChatModel(server.url, "key", 5.0, 0, 0.01)
        world = World(model)
        await world.post()
        done = await world.run()
        await model.close()
    return world, server, done


async def producer_steps(world: World, build: Any) -> list[Step]:
    return [s for s in await world.store.steps(build.id) if s.kind is StepKind.PRODUCER]


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_build_survives(shape: str) -> None:
    problem, said = SHAPES[shape]
    world, server, done = await build_with(*said)
    assert done.state is BuildState.SUCCEEDED, done.explanation
    assert server.refusals == []
    first = (await producer_steps(world, done))[0]
    assert first.facts.get("problem", "") == problem
    head = await world.repositories.head(world.project)
    assert head is not None
    assert await world.repositories.read(world.project, head, "src/App.tsx") == "<main/>\n"


async def test_a_server_of_alternating_roles_gets_them_once_it_said_so() -> None:
    bad = calling(write("src/App.tsx", "BAD\n"), CLAIM)
    world, server, done = await build_with(bad, alternating=True)
    assert done.state is BuildState.SUCCEEDED, done.explanation
    assert server.refusals == ["Unexpected role 'user' after role 'tool'"]
    assert len(await world.store.verdicts(done.id)) == 2


async def test_a_model_that_goes_on_refusing_ends_the_task_in_its_own_words() -> None:
    world, server, done = await build_with(saying(SORRY), saying(SORRY))
    assert done.state is BuildState.FAILED
    assert SORRY in done.explanation
    assert len(await producer_steps(world, done)) == 2
    assert server.refusals == []


async def test_a_planner_that_goes_on_refusing_fails_in_its_own_words() -> None:
    async with StrictServer(lambda body, _: saying(SORRY)) as server:
        model = OpenAIChatModel(server.url, "key", 5.0, 0, 0.01)
        world = World(model)
        await world.post()
        done = await world.run()
        await model.close()
    assert done is not None
    assert done.state is BuildState.FAILED
    assert SORRY in done.explanation
    assert server.refusals == []


async def test_after_endless_thinking_a_call_is_asked_for_with_less_room_each_time() -> None:
    thought = saying("", "length", reasoning_content="Hmm. " * 400)
    _, server, done = await build_with(thought, thought)
    assert done.state is BuildState.SUCCEEDED, done.explanation
    asked = [
        (b["tool_choice"], b["max_tokens"])
        for b in server.bodies
        if "claim_done" in {t["function"]["name"] for t in b.get("tools", ())}
    ]
    assert asked[:4] == [
        ("auto", 16_000),
        ("required", 8_000),
        ("required", 4_000),
        ("auto", 16_000),
    ]


async def test_of_a_cut_answer_the_whole_calls_run_and_the_claim_does_not() -> None:
    said = calling(GOOD, ("write_file", CUT_WRITE), CLAIM, finish="length")
    world, _, done = await build_with(said)
    first = (await producer_steps(world, done))[0]
    assert first.writes == {"src/App.tsx": "<main/>\n"}
    assert "claimed" not in first.facts
    told = [m.content for m in first.messages if m.tool_call_id]
    assert "cut off" in told[1]
    assert "Split the work" in told[1]
    assert "an earlier call of this answer failed" in told[2]


async def test_what_the_model_really_said_is_recorded_beside_what_was_made_of_it() -> None:
    world, _, done = await build_with(SHAPES["a call in hermes tags"][1][0])
    first = (await producer_steps(world, done))[0]
    raw = first.facts["raw"]
    assert isinstance(raw, dict)
    message = raw["message"]
    assert isinstance(message, dict)
    assert "<tool_call>" in str(message["content"])
    assert first.messages[0].content == "I write it."
    assert first.messages[0].tool_calls[0].name == "write_file"
