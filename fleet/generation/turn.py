"""One completion and the results of its tool calls: the unit that becomes a step."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.domain.chat import (
    ChatMessage,
    Completion,
    CompletionRequest,
    FinishReason,
    Role,
    ToolCall,
    Usage,
)
from fleet.generation.tools.tool import Toolbox, ToolResult
from fleet.ports import ChatModel, Clock

MAX_CALLS = 64


@dataclass(frozen=True)
class Mind:
    """A model under the name it is asked by."""

    model: ChatModel
    name: str
    clock: Clock


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
    completion = await mind.model.complete(
        CompletionRequest(
            model=mind.name, messages=conversation, tools=tools.schemas, tool_choice=tool_choice
        )
    )
    calls = _with_ids(completion.message.tool_calls)
    results: list[tuple[ToolCall, ToolResult]] = []
    for index, call in enumerate(calls):
        if index >= MAX_CALLS:
            text = f"Error: not run; one answer holds at most {MAX_CALLS} calls."
            results.append((call, ToolResult(text, failed=True)))
        else:
            results.append((call, await tools.call(call)))
    content = _storable(completion.message.content)
    if completion.finish is FinishReason.LENGTH and not calls:
        content += "\n[cut off: the answer was too long]"
    said = ChatMessage(role=Role.ASSISTANT, content=content, tool_calls=calls)
    answers = (
        ChatMessage(role=Role.TOOL, content=_storable(r.content), tool_call_id=c.id)
        for c, r in results
    )
    return Turn(
        messages=(said, *answers),
        results=tuple(results),
        usage=completion.usage,
        elapsed_s=mind.clock.monotonic() - began,
    )


def _with_ids(calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    """Ids are unique and not empty, or the answers could not be told apart."""
    seen: set[str] = set()
    fixed = []
    for index, call in enumerate(calls):
        new = call.id if call.id and call.id not in seen else f"call_{index}_{len(seen)}"
        seen.add(new)
        fixed.append(
            ToolCall(
                id=_storable(new), name=_storable(call.name), arguments=_storable(call.arguments)
            )
        )
    return tuple(fixed)


def _storable(text: str) -> str:
    """JSON in Postgres takes neither NUL nor a lone surrogate; a model may send both."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
