"""One completion of blueprint: which turn is it, and what is said."""

from __future__ import annotations

import json

from fleet.domain.chat import (
    ChatMessage,
    Completion,
    CompletionRequest,
    FinishReason,
    Role,
    ToolCall,
    Usage,
)
from serve.models.blueprint.architect import architect_turn
from serve.models.blueprint.fault import Fault
from serve.models.blueprint.producer import producer_turn
from serve.models.blueprint.reply import Reply

DESCRIPTION = (
    "Built-in offline builder. A deterministic program, not a language model: it derives an app "
    "from a message by grammar and lexicon. It answers only appfleet's architect and producer."
)
MODEL_NAMES = ("blueprint", *(f"blueprint+{f.value}" for f in Fault if f))
CHARS_PER_TOKEN = 4


def speak(request: CompletionRequest, fault: Fault) -> Completion:
    """Deterministic: the same conversation always gets the same answer."""
    tools = {tool.name for tool in request.tools}
    if request.tool_choice == "none":
        tools = set()
    if "submit_plan" in tools:
        reply = architect_turn(request.messages, fault)
    elif "claim_done" in tools:
        reply = producer_turn(request.messages, fault)
    else:
        reply = Reply(text=f"I am blueprint. {DESCRIPTION}")
    return _completion(request, reply)


def _completion(request: CompletionRequest, reply: Reply) -> Completion:
    turn = len(request.messages)
    calls = tuple(
        ToolCall(
            id=f"call_{turn}_{position}",
            name=call.name,
            arguments=json.dumps(call.arguments, ensure_ascii=False),
        )
        for position, call in enumerate(reply.calls, 1)
    )
    message = ChatMessage(role=Role.ASSISTANT, content=reply.text, tool_calls=calls)
    return Completion(
        message=message,
        finish=FinishReason.TOOL_CALLS if calls else FinishReason.STOP,
        usage=Usage(
            prompt_tokens=sum(_size(m) for m in request.messages) // CHARS_PER_TOKEN,
            completion_tokens=_size(message) // CHARS_PER_TOKEN,
            completions=1,
        ),
    )


def _size(message: ChatMessage) -> int:
    return len(message.content) + sum(len(c.name) + len(c.arguments) for c in message.tool_calls)
