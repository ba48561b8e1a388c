"""A build of two hundred steps by a model that knows only its prompt: within its window, no step
done twice, and nearly every prompt token a repetition that a prefix cache answers for."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from typing import Any

import pytest

from fleet.domain.build import BuildState, Step, StepKind
from fleet.domain.chat import (
    ChatMessage,
    Completion,
    CompletionRequest,
    FinishReason,
    Role,
    ToolCall,
    Usage,
)
from fleet.generation.context import tokens
from fleet.ports import OnText
from fleet.settings import Settings
from tests.unit.generation_world import LEASE_TTL_S, Call, Crash, Tripwire, World, plan, task

FILES = 200
HIGH_TOKENS, LOW_TOKENS = 12_000, 4_000
_PROGRESS = re.compile(r"```json appfleet:progress\n(.*?)\n```", re.S)


def path_of(number: int) -> str:
    return f"docs/notes/{number:03d}.md"


def text_of(number: int) -> str:
    return f"# Note {number}\n" + f"Line of note {number}.\n" * 12


class OneByOne:
    """Stateless: writes the first note that its prompt does not show as written."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.summaries = 0

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        if not request.tools:
            self.summaries += 1
            return _answer(request, text="The notes go well.")
        if "appfleet:request" in request.messages[1].content:
            return _answer(request, plan(task("Notes", "docs/**")))
        self.sizes.append(tokens(request.messages))
        done = self._done(request.messages)
        for number in range(1, FILES + 1):
            wanted = hashlib.sha256(text_of(number).encode()).hexdigest()
            if done.get(path_of(number)) != wanted:
                call = {"path": path_of(number), "content": text_of(number)}
                return _answer(request, ("write_file", call))
        return _answer(request, ("claim_done", {}))

    def _done(self, messages: tuple[ChatMessage, ...]) -> dict[str, str]:
        done: dict[str, str] = {}
        for message in messages:
            for block in _PROGRESS.findall(message.content):
                files: dict[str, Any] = json.loads(block)["files"]
                done |= {path: stamp["sha256"] for path, stamp in files.items() if stamp}
            for call in message.tool_calls:
                arguments = json.loads(call.arguments)
                content = str(arguments.get("content", ""))
                done[str(arguments.get("path"))] = hashlib.sha256(content.encode()).hexdigest()
        return done


def _answer(request: CompletionRequest, *calls: Call, text: str = "") -> Completion:
    made = tuple(
        ToolCall(id=f"call_{len(request.messages)}", name=name, arguments=json.dumps(arguments))
        for name, arguments in calls
    )
    return Completion(
        message=ChatMessage(role=Role.ASSISTANT, content=text, tool_calls=made),
        finish=FinishReason.TOOL_CALLS if made else FinishReason.STOP,
        usage=Usage(prompt_tokens=tokens(request.messages), completion_tokens=50, completions=1),
    )


def settings(**changes: Any) -> Settings:
    bounds = {"context_high_tokens": HIGH_TOKENS, "context_low_tokens": LOW_TOKENS}
    return Settings(lease_ttl_s=LEASE_TTL_S, max_steps=500, **{**bounds, **changes})


def paths_written(steps: list[Step]) -> Counter[str]:
    return Counter(path for step in steps for path in step.writes)


@pytest.fixture(autouse=True)
def _same_ids_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count(1)
    monkeypatch.setattr("fleet.domain.ids.random_suffix", lambda n=5: f"{next(numbers):0{n}d}")


async def test_two_hundred_steps_fit_the_window_and_none_is_repeated() -> None:
    model = OneByOne()
    world = World(model, settings())
    await world.post("Two hundred notes")
    done = await world.run()
    assert done is not None and done.state is BuildState.SUCCEEDED, done
    steps = await world.store.steps(done.id)
    assert sum(step.kind is StepKind.PRODUCER for step in steps) == FILES + 1
    written = paths_written(steps)
    assert len(written) == FILES and set(written.values()) == {1}
    compactions = [s for s in steps if s.kind is StepKind.COMPACTION]
    assert len(compactions) >= 2 and model.summaries == len(compactions)
    largest_step = max(tokens(s.messages) for s in steps if s.kind is StepKind.PRODUCER)
    assert max(model.sizes) <= HIGH_TOKENS + largest_step
    usage = (await world.store.build(done.id)).usage
    assert usage.repeated_tokens / usage.prompt_tokens >= 0.9
    assert (await world.events()).count("context.compacted") == len(compactions)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [60, 222, 410])
async def test_a_successor_goes_on_after_the_last_step_and_repeats_none(
    at: int, after: bool
) -> None:
    world = World(OneByOne(), settings())
    build = await world.post("Two hundred notes")
    with pytest.raises(Crash):
        await world.run(Tripwire(at=at, after=after))
    before = await world.store.steps(build.id)
    done = await world.run()
    assert done is not None and done.state is BuildState.SUCCEEDED, done
    steps = await world.store.steps(done.id)
    assert steps[: len(before)] == before
    assert set(paths_written(steps).values()) == {1}
