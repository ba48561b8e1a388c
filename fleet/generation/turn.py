"""One completion and the results of its tool calls: the unit that becomes a step."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fleet.domain.chat import (
    ChatMessage,
    Completion,
    CompletionRequest,
    FinishReason,
    Role,
    ToolCall,
    Usage,
)
from fleet.generation.malformed import (
    MALFORMED_KEY,
    Call,
    Problem,
    asking,
    legible,
    read_completion,
)
from fleet.generation.tools.tool import Tool, Toolbox, ToolResult
from fleet.generation.tools.workbench import Workbench
from fleet.ports import ChatModel, Clock

StandIn = Callable[[Tool[Any], Workbench], Tool[Any]]


@dataclass(frozen=True)
class Mind:
    """A model under the name it is asked by. `stand_in` takes a tool's place in a replay."""

    model: ChatModel
    name: str
    clock: Clock
    stand_in: StandIn | None = None


@dataclass(frozen=True)
class Turn:
    """`messages` always answer every call, so the history stays valid whatever happened.

    `problem` is a stable word for the rule of `malformed` that acted ("truncated", "refusal"),
    "" for none; `raw` the model's own completion where it differs from what `messages` say.
    `ends` is why the task cannot go on (a model that refuses for good), in words for the user.
    """

    messages: tuple[ChatMessage, ...]
    results: tuple[tuple[ToolCall, ToolResult], ...]
    usage: Usage
    elapsed_s: float
    problem: str = ""
    raw: Completion | None = None
    ends: str = ""

    @property
    def done(self) -> list[ToolCall]:
        return [call for call, result in self.results if not result.failed]


async def take_turn(
    mind: Mind,
    conversation: tuple[ChatMessage, ...],
    tools: Toolbox,
    tool_choice: str = "auto",
) -> Turn:
    """Raises ModelError when the model cannot be reached."""
    began = mind.clock.monotonic()
    how = asking(conversation, tool_choice)
    completion = await mind.model.complete(
        CompletionRequest(
            model=mind.name,
            messages=conversation,
            tools=tools.schemas,
            tool_choice=how.tool_choice,
            max_tokens=how.max_tokens,
        )
    )
    reading = read_completion(completion, tools.schemas, conversation)
    results = [(read.call, await _result(read, tools)) for read in reading.calls]
    said = ChatMessage(
        role=Role.ASSISTANT, content=reading.content, tool_calls=tuple(c for c, _ in results)
    )
    answers = (
        ChatMessage(role=Role.TOOL, content=legible(r.content), tool_call_id=c.id)
        for c, r in results
    )
    advice = (ChatMessage(role=Role.USER, content=reading.advice),) if reading.advice else ()
    invalid = any(r.invalid for _, r in results)
    return Turn(
        messages=(said, *answers, *advice),
        results=tuple(results),
        usage=completion.usage,
        elapsed_s=mind.clock.monotonic() - began,
        problem=reading.problem or (Problem.WRONG_TYPES if invalid else Problem.NONE),
        raw=None if completion == _plain(said, completion.usage) else completion,
        ends=reading.ends,
    )


async def _result(read: Call, tools: Toolbox) -> ToolResult:
    if not read.told:
        return await tools.call(read.call)
    # The toolbox hears of it too, as a call that cannot run: a claim after it is not taken.
    nothing = json.dumps({MALFORMED_KEY: ""})
    await tools.call(read.call.model_copy(update={"arguments": nothing}))
    return ToolResult(read.told, failed=True)


def _plain(said: ChatMessage, usage: Usage) -> Completion:
    """The completion that says just this, as a faultless model would have given it."""
    finish = FinishReason.TOOL_CALLS if said.tool_calls else FinishReason.STOP
    return Completion(message=said, finish=finish, usage=usage)
