"""What blueprint reads in a conversation: blocks, its own calls, and their results."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from fleet.domain.chat import ChatMessage, Role, ToolCall

_BLOCK = re.compile(
    r"^```json appfleet:(?P<kind>\w+)[ \t]*\n(?P<body>.*?)\n```[ \t]*$", re.M | re.S
)
_LINE_NUMBER = re.compile(r"^\s*\d+\s*[|:\t→] ?", re.M)
_FAILED = re.compile(
    r"^\W*(?:\w+ )?(?:error|failed|refused|no match|not found|invalid|rejected)\b", re.I
)


@dataclass(frozen=True)
class Answered:
    """One of its own tool calls with what came back."""

    call: ToolCall
    result: str

    @property
    def failed(self) -> bool:
        head = self.result.lstrip()[:200]
        return bool(_FAILED.match(head)) or head.startswith('{"error"')

    @property
    def arguments(self) -> dict[str, object]:
        return parse_object(self.call.arguments)


def blocks(message: ChatMessage, kind: str) -> list[dict[str, object]]:
    found = (m for m in _BLOCK.finditer(message.content) if m["kind"] == kind)
    return [parse_object(match["body"]) for match in found]


def last_block(
    messages: tuple[ChatMessage, ...], kind: str
) -> tuple[int, dict[str, object]] | None:
    """(index of the message, the block) of the newest user message that holds one."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role is Role.USER:
            found = blocks(messages[index], kind)
            if found:
                return index, found[-1]
    return None


def answered(messages: tuple[ChatMessage, ...]) -> list[Answered]:
    """Its own calls with their results: by id among the results that follow the call at once,
    since ids may come back in a later answer."""
    found: list[Answered] = []
    for index, message in enumerate(messages):
        if message.role is not Role.ASSISTANT:
            continue
        results: dict[str | None, str] = {}
        for later in messages[index + 1 :]:
            if later.role is not Role.TOOL:
                break
            results[later.tool_call_id] = later.content
        found += [Answered(c, results[c.id]) for c in message.tool_calls if c.id in results]
    return found


def parse_object(text: str) -> dict[str, object]:
    """A JSON object, or {} for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def find_object(text: str) -> dict[str, object]:
    """The JSON object in a tool's answer, which may have a heading or line numbers around it."""
    for candidate in (text, _LINE_NUMBER.sub("", text)):
        start, end = candidate.find("{"), candidate.rfind("}")
        if 0 <= start < end and (value := parse_object(candidate[start : end + 1])):
            return value
    return {}


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""
