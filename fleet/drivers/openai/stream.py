"""Gathers streamed chunks into one completion, tolerating what real servers get wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet.domain.chat import (
    ChatMessage,
    Completion,
    CompletionRequest,
    FinishReason,
    Role,
    ToolCall,
    Usage,
)
from fleet.ports import OnText

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

CHARS_PER_TOKEN = 4  # a usual average, used only where a server reports no usage


class CutOff(Exception):
    """The stream ended before it said why it finished."""


@dataclass
class _OpenCall:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class StreamReader:
    """Feed chunks in order, then ask for the completion.

    Arguments are kept raw, malformed or not. Missing call ids are generated, double ones made
    unique, so that every call can be answered.
    """

    def __init__(self, request: CompletionRequest, on_text: OnText | None) -> None:
        self._request = request
        self._on_text = on_text
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._reasoning_chars = 0
        self._calls: list[_OpenCall] = []
        self._finish: str | None = None
        self._usage: Usage | None = None

    def feed(self, chunk: ChatCompletionChunk) -> None:
        # Chunks are built by the vendor without validation: any field may be missing.
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            self._usage = Usage(
                prompt_tokens=getattr(usage, "prompt_tokens", None) or 0,
                completion_tokens=getattr(usage, "completion_tokens", None) or 0,
                completions=1,
            )
        for choice in getattr(chunk, "choices", None) or ():
            if getattr(choice, "index", 0):
                continue
            delta = getattr(choice, "delta", None)
            text = getattr(delta, "content", None)
            if isinstance(text, str) and text:
                self._text.append(text)
                if self._on_text is not None:
                    self._on_text(text)
            refusal = getattr(delta, "refusal", None)
            if isinstance(refusal, str):
                self._refusal.append(refusal)
            self._reasoning_chars += _thought(delta)
            for part in getattr(delta, "tool_calls", None) or ():
                self._feed_call(part)
            self._finish = getattr(choice, "finish_reason", None) or self._finish

    def completion(self) -> Completion:
        if self._finish is None:
            raise CutOff("the stream closed without a finish reason")
        calls = self._closed_calls()
        message = ChatMessage(role=Role.ASSISTANT, content="".join(self._text), tool_calls=calls)
        return Completion(
            message=message,
            finish=_finish_reason(self._finish, bool(calls)),
            usage=self._usage or self._estimated(message),
            refusal="".join(self._refusal),
            reasoning_chars=self._reasoning_chars,
        )

    def _feed_call(self, part: ChoiceDeltaToolCall) -> None:
        call = self._call_for(part)
        function = getattr(part, "function", None)
        part_id = getattr(part, "id", None)
        if part_id and not call.id:
            call.id = str(part_id)
        name = getattr(function, "name", None)
        if name and not call.name:
            call.name = str(name)
        arguments = getattr(function, "arguments", None)
        if isinstance(arguments, str):
            call.arguments.append(arguments)

    def _call_for(self, part: ChoiceDeltaToolCall) -> _OpenCall:
        """The call a delta continues. Some servers leave the index out, or repeat it."""
        index = getattr(part, "index", None)
        part_id = getattr(part, "id", None)
        name = getattr(getattr(part, "function", None), "name", None)
        if index is None:
            known = self._calls[-1:] if not name else []
        else:
            known = [c for c in self._calls if c.index == index][-1:]
        if known and not (part_id and known[0].id and part_id != known[0].id and name):
            return known[0]
        call = _OpenCall(index=index)
        self._calls.append(call)
        return call

    def _closed_calls(self) -> tuple[ToolCall, ...]:
        taken: set[str] = set()
        closed: list[ToolCall] = []
        # A generated id must not repeat one of an earlier turn: it carries the turn's number.
        turn = len(self._request.messages)
        for position, call in enumerate(self._calls, 1):
            call_id = call.id or f"call_{turn}_{position}"
            while call_id in taken:
                call_id = f"{call_id}_{position}"
            taken.add(call_id)
            closed.append(ToolCall(id=call_id, name=call.name, arguments="".join(call.arguments)))
        return tuple(closed)

    def _estimated(self, message: ChatMessage) -> Usage:
        """Budgets must bite on servers that report no usage, too."""
        sent = sum(_size(m) for m in self._request.messages)
        return Usage(
            prompt_tokens=sent // CHARS_PER_TOKEN,
            completion_tokens=(_size(message) + self._reasoning_chars) // CHARS_PER_TOKEN,
            completions=1,
        )


def _thought(delta: object) -> int:
    """Thinking that the server tells apart; vLLM and OpenRouter name it in two ways."""
    for name in ("reasoning_content", "reasoning"):
        text = getattr(delta, name, None)
        if isinstance(text, str):
            return len(text)
    return 0


def _size(message: ChatMessage) -> int:
    return len(message.content) + sum(len(c.name) + len(c.arguments) for c in message.tool_calls)


def _finish_reason(raw: str, has_calls: bool) -> FinishReason:
    if raw in (FinishReason.LENGTH, FinishReason.CONTENT_FILTER):
        return FinishReason(raw)
    return FinishReason.TOOL_CALLS if has_calls else FinishReason.STOP
