"""One completion of blueprint: which turn is it, and what is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

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
from serve.models.blueprint.fault import EXPECTED_END, Behaviour, parse_model_name
from serve.models.blueprint.misbehaviour import act, mistake_of
from serve.models.blueprint.misbehaviour.detour import look
from serve.models.blueprint.producer import work_of
from serve.models.blueprint.reply import Reply
from serve.models.blueprint.scene import Scene, read_scene

DESCRIPTION = (
    "Built-in offline builder. A deterministic program, not a language model: it derives an app "
    "from a message by grammar and lexicon. It answers only appfleet's architect and producer."
)
# Of the numbered ones an example each: any number will do.
MODEL_NAMES = (
    "blueprint",
    *(f"blueprint+{fault.value}" for fault in EXPECTED_END),
    "blueprint+seed-1",
    "blueprint+long-200",
    "blueprint+slow-3",
)
CHARS_PER_TOKEN = 4
MAX_SUMMARY_LINES = 60
_STEP_TITLE = re.compile(r"^## (Step \d+: .+)$", re.M)


@dataclass(frozen=True)
class Spoken:
    """`reasoning` is sent beside the content; `delay_s` is how long the answer is to take."""

    completion: Completion
    reasoning: str = ""
    delay_s: float = 0.0


def describe(name: str) -> str:
    """What the models list says of a name: what it does, and how a build with it ends."""
    behaviour = parse_model_name(name)
    if behaviour is None or behaviour == Behaviour():
        return DESCRIPTION
    expected = behaviour.expected
    return f"{DESCRIPTION} This one {expected.what}. Its builds end {expected.end.value}."


def speak(request: CompletionRequest, behaviour: Behaviour) -> Spoken:
    """Deterministic: the same conversation always gets the same answer."""
    reply = _reply(request, behaviour)
    return Spoken(_completion(request, reply), reply.reasoning, reply.delay_s)


def _reply(request: CompletionRequest, behaviour: Behaviour) -> Reply:
    tools = {tool.name for tool in request.tools}
    if request.tool_choice == "none":
        tools = set()
    if "submit_plan" in tools:
        return architect_turn(request.messages, behaviour)
    scene = read_scene(request.messages) if tools else None
    if scene is not None:
        return _allowed(_producer_turn(scene, behaviour), scene)
    if tools:
        return Reply(text="There is no `json appfleet:task` block to work from.")
    return _summary(request.messages) or Reply(text=f"I am blueprint. {DESCRIPTION}")


def _producer_turn(scene: Scene, behaviour: Behaviour) -> Reply:
    work = work_of(scene, behaviour, mistake_of(behaviour, scene.message))
    if work is None:
        return Reply(text="The plan's design was not made by blueprint, which can build no other.")
    return act(scene, work, behaviour)


def _allowed(reply: Reply, scene: Scene) -> Reply:
    """After a forced choice it calls what it may, and looks around where it wanted nothing so."""
    kept = tuple(call for call in reply.calls if call.name in scene.only)
    if not scene.only or len(kept) == len(reply.calls) > 0:
        return reply
    if kept or "read_file" not in scene.only:
        return replace(reply, calls=kept)
    return Reply(calls=(look(scene),))


def _summary(messages: tuple[ChatMessage, ...]) -> Reply | None:
    """Asked to summarise steps without tools, it repeats their titles."""
    steps = [t for m in messages if m.role is Role.USER for t in _STEP_TITLE.findall(m.content)]
    lines = [f"- {title}" for title in steps[-MAX_SUMMARY_LINES:]]
    return Reply(text="\n".join(lines)) if lines else None


def _completion(request: CompletionRequest, reply: Reply) -> Completion:
    turn = len(request.messages)
    calls = tuple(
        ToolCall(id=call.id or f"call_{turn}_{position}", name=call.name, arguments=call.text)
        for position, call in enumerate(reply.calls, 1)
    )
    message = ChatMessage(role=Role.ASSISTANT, content=reply.text, tool_calls=calls)
    said = _size(message) + len(reply.refusal) + len(reply.reasoning)
    return Completion(
        message=message,
        finish=reply.finish or (FinishReason.TOOL_CALLS if calls else FinishReason.STOP),
        usage=Usage(
            prompt_tokens=sum(_size(m) for m in request.messages) // CHARS_PER_TOKEN,
            completion_tokens=said // CHARS_PER_TOKEN,
            completions=1,
        ),
        refusal=reply.refusal,
        reasoning_chars=len(reply.reasoning),
    )


def _size(message: ChatMessage) -> int:
    return len(message.content) + sum(len(c.name) + len(c.arguments) for c in message.tool_calls)
