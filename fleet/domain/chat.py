"""The conversation with a model, in the OpenAI chat-completions shape but typed."""

from __future__ import annotations

from enum import StrEnum

from pydantic import JsonValue

from fleet.domain.frozen import Frozen


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class ToolCall(Frozen):
    """`arguments` is the raw JSON text the model sent: it may be malformed."""

    id: str
    name: str
    arguments: str


class ChatMessage(Frozen):
    """`tool_call_id` is set on tool results only; `tool_calls` on assistant messages only."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class ToolSchema(Frozen):
    """`parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, JsonValue]


class Usage(Frozen):
    """Tokens; `completions` counts model calls.

    `repeated_tokens` are the prompt tokens that repeat the previous prompt's prefix, which a
    serving engine's prefix cache answers for. `cost_microusd` is in millionths of a dollar, by the
    settings' prices.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    completions: int = 0
    repeated_tokens: int = 0
    cost_microusd: int = 0

    def plus(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            completions=self.completions + other.completions,
            repeated_tokens=self.repeated_tokens + other.repeated_tokens,
            cost_microusd=self.cost_microusd + other.cost_microusd,
        )

    def told(self) -> dict[str, JsonValue]:
        """As events carry it; the cost in US dollars."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "repeated_tokens": self.repeated_tokens,
            "cost_usd": self.cost_microusd / 1_000_000,
        }


class ModelRole(StrEnum):
    PLANNING = "planning"
    CODING = "coding"
    ANALYSIS = "analysis"


class CompletionRequest(Frozen):
    """`tool_choice` is "auto", "required", "none" or the name of one tool."""

    model: str
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSchema, ...] = ()
    tool_choice: str = "auto"
    max_tokens: int = 16_000
    temperature: float = 0.0


class FinishReason(StrEnum):
    STOP = "stop"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


class Completion(Frozen):
    """`refusal` is what the model says when it will not; `reasoning_chars` counts its thinking,
    which is not kept."""

    message: ChatMessage
    finish: FinishReason
    usage: Usage
    refusal: str = ""
    reasoning_chars: int = 0
