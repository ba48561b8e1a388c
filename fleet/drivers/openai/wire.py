"""Typed conversation -> the JSON the chat-completions protocol wants."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from fleet.domain.chat import ChatMessage, Role, ToolCall, ToolSchema
from fleet.drivers.openai.history import legible, strict_history

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
UNNAMED = "unnamed_tool"
MALFORMED_KEY = "malformed_arguments"


def wire_messages(
    messages: Sequence[ChatMessage], *, alternating: bool = False
) -> list[dict[str, object]]:
    """Valid for a strict server whatever the record holds; see `strict_history`."""
    return [_wire_message(m) for m in strict_history(messages, alternating=alternating)]


def wire_tools(tools: Sequence[ToolSchema]) -> list[dict[str, object]]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            },
        }
        for tool in tools
    ]


def wire_tool_choice(choice: str) -> object:
    if choice in ("auto", "required", "none"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _wire_message(message: ChatMessage) -> dict[str, object]:
    wire: dict[str, object] = {"role": message.role.value, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [_wire_call(call) for call in message.tool_calls]
    if message.role is Role.TOOL:
        wire["tool_call_id"] = message.tool_call_id or ""
    return wire


def _wire_call(call: ToolCall) -> dict[str, object]:
    """Servers parse the history's arguments again: one malformed call would poison every turn."""
    name = call.name if _TOOL_NAME.fullmatch(call.name) else UNNAMED
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": name, "arguments": _json_object(call.arguments)},
    }


def _json_object(arguments: str) -> str:
    try:
        value = json.loads(arguments, parse_constant=_refused)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return legible(arguments)
    return json.dumps({MALFORMED_KEY: legible(arguments)})


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")
