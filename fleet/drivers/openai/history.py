"""A conversation in the order and form that the strictest servers take. Pure.

The loop keeps its history valid by itself; this is the border, where whatever a record, a
compaction or a later version left in it can no longer poison every request that follows.

Rules, and who refuses without them: one system message and first (Mistral, Qwen templates); a
user before any assistant (Gemma, Llama templates); users merged (templates that want the roles to
alternate); every call answered once, directly after, nothing else answered (OpenAI, vLLM); ids
unique; nothing empty (Anthropic, Bedrock); the last word not the assistant's (vLLM would continue
it); no NUL, no half surrogates (not encodable, or refused).
"""

from __future__ import annotations

from collections.abc import Sequence

from fleet.domain.chat import ChatMessage, Role, ToolCall

OPENING = "(the conversation goes on)"
GO_ON = "Go on."
NO_TEXT = "(empty)"
NO_OUTPUT = "(no output)"
NO_ANSWER = "(no text)"
UNANSWERED = "Error: no result of this call is on record."
ACKNOWLEDGED = "Understood."


def strict_history(messages: Sequence[ChatMessage], *, alternating: bool) -> list[ChatMessage]:
    """`alternating` puts an acknowledgement between a tool's result and a user, as Mistral's
    own servers and templates want it; others are spared a model that learns to say it."""
    clean = [_clean(m) for m in messages]
    system = [m for m in clean if m.role is Role.SYSTEM]
    ordered = _answered([m for m in clean if m.role is not Role.SYSTEM])
    ordered = _with_unique_ids(ordered)
    legal: list[ChatMessage] = []
    for message in ordered:
        last = legal[-1] if legal else None
        if last is None and message.role is not Role.USER:
            legal.append(_user(OPENING))
        elif last is not None and last.role is message.role is Role.USER:
            legal[-1] = _user(f"{last.content}\n\n{message.content}")
            continue
        elif alternating and last is not None and _user_after_tool(last, message):
            legal.append(ChatMessage(role=Role.ASSISTANT, content=ACKNOWLEDGED))
        elif last is not None and last.role is message.role is Role.ASSISTANT:
            legal.append(_user(GO_ON))
        legal.append(message)
    if not legal or legal[-1].role is Role.ASSISTANT:
        legal.append(_user(GO_ON if legal else OPENING))
    words = "\n\n".join(m.content for m in system)
    return [*([system[0].model_copy(update={"content": words})] if system else []), *legal]


def _user_after_tool(last: ChatMessage, message: ChatMessage) -> bool:
    return last.role is Role.TOOL and message.role is Role.USER


def _answered(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Every call with exactly one result directly after it; a stray result as a user's words."""
    ordered: list[ChatMessage] = []
    index = 0
    while index < len(messages):
        message = messages[index]
        index += 1
        if message.role is Role.TOOL:
            ordered.append(_user(f"The result of an earlier call:\n{message.content}"))
            continue
        ordered.append(message)
        if not message.tool_calls:
            continue
        results: list[ChatMessage] = []
        while index < len(messages) and messages[index].role is Role.TOOL:
            results.append(messages[index])
            index += 1
        for call in message.tool_calls:
            found = next((r for r in results if r.tool_call_id == call.id), None)
            if found is not None:
                results.remove(found)  # of two calls with one id, each takes its own
            ordered.append(found or _result(call.id, UNANSWERED))
    return ordered


def _with_unique_ids(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """New ids where a call's own was used before; its result, which follows in order, with it."""
    taken: set[str] = set()
    fixed: list[ChatMessage] = []
    waiting: list[str] = []
    for message in messages:
        if message.tool_calls:
            calls: list[ToolCall] = []
            for call in message.tool_calls:
                new, number = call.id, len(taken)
                while not new or new in taken:
                    new, number = f"r{number:08d}", number + 1
                taken.add(new)
                calls.append(call.model_copy(update={"id": new}))
            waiting = [c.id for c in calls]
            fixed.append(message.model_copy(update={"tool_calls": tuple(calls)}))
        elif message.role is Role.TOOL:
            fixed.append(message.model_copy(update={"tool_call_id": waiting.pop(0)}))
        else:
            fixed.append(message)
    return fixed


def _clean(message: ChatMessage) -> ChatMessage:
    content = legible(message.content)
    calls = message.tool_calls if message.role is Role.ASSISTANT else ()
    if not content.strip() and not calls:
        content = {Role.TOOL: NO_OUTPUT, Role.ASSISTANT: NO_ANSWER}.get(message.role, NO_TEXT)
    return message.model_copy(update={"content": content, "tool_calls": calls})


def legible(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _user(text: str) -> ChatMessage:
    return ChatMessage(role=Role.USER, content=text)


def _result(call_id: str, text: str) -> ChatMessage:
    return ChatMessage(role=Role.TOOL, content=text, tool_call_id=call_id)
