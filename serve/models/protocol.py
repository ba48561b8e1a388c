"""OpenAI's request JSON -> the typed conversation, with OpenAI-shaped refusals."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from fleet.domain.chat import ChatMessage, CompletionRequest, Role, ToolCall, ToolSchema


class BadRequest(Exception):
    def __init__(
        self, message: str, *, status: int = 400, code: str = "invalid_request", param: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param

    def body(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": "invalid_request_error",
                "param": self.param or None,
                "code": self.code,
            }
        }


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Function(_Loose):
    name: str
    arguments: str = ""


class _Call(_Loose):
    id: str
    function: _Function


class _Message(_Loose):
    role: str
    content: str | list[dict[str, JsonValue]] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _ToolFunction(_Loose):
    name: str
    description: str = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class _Tool(_Loose):
    function: _ToolFunction


class _StreamOptions(_Loose):
    include_usage: bool = False


class _Body(_Loose):
    model: str
    messages: list[_Message] = Field(min_length=1)
    tools: list[_Tool] | None = None
    tool_choice: str | dict[str, JsonValue] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


def read_request(body: object) -> tuple[CompletionRequest, bool, bool]:
    """(the request, whether to stream, whether to send usage in the stream)."""
    try:
        read = _Body.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{where or 'body'}: {first['msg']}", param=where) from error
    request = CompletionRequest(
        model=read.model,
        messages=tuple(_message(m) for m in read.messages),
        tools=tuple(
            ToolSchema(
                name=t.function.name,
                description=t.function.description,
                parameters=t.function.parameters,
            )
            for t in read.tools or ()
        ),
        tool_choice=_tool_choice(read.tool_choice),
    )
    options = read.stream_options or _StreamOptions()
    return request, bool(read.stream), options.include_usage


def _message(message: _Message) -> ChatMessage:
    role = "system" if message.role == "developer" else message.role
    if role not in set(Role):
        raise BadRequest(f"messages: unknown role {message.role!r}", param="messages")
    return ChatMessage(
        role=Role(role),
        content=_text(message.content),
        tool_calls=tuple(
            ToolCall(id=c.id, name=c.function.name, arguments=c.function.arguments)
            for c in message.tool_calls or ()
        ),
        tool_call_id=message.tool_call_id,
    )


def _text(content: str | list[dict[str, JsonValue]] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(str(part["text"]) for part in content if isinstance(part.get("text"), str))


def _tool_choice(choice: str | dict[str, JsonValue] | None) -> str:
    if choice is None or isinstance(choice, str):
        return choice or "auto"
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else "auto"
