"""A tool: typed arguments, a schema made from them, and errors the model can use."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from fleet.domain.chat import ToolCall, ToolSchema
from fleet.errors import AppError, InfrastructureError, ModelError, UserError, in_short

MAX_RESULT_CHARS = 60_000
MAX_ARGUMENT_PROBLEMS = 8

log = structlog.get_logger()


class Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True)
class Tool(Generic[A]):
    name: str
    description: str
    arguments: type[A]
    run: Callable[[A], Awaitable[str]]

    @property
    def schema(self) -> ToolSchema:
        return ToolSchema(
            name=self.name,
            description=self.description,
            parameters=_without_titles(self.arguments.model_json_schema()),
        )


@dataclass(frozen=True)
class ToolResult:
    """`failed` means that the model has been told an error; `invalid`, that the arguments'
    types were wrong."""

    content: str
    failed: bool = False
    invalid: bool = False


class Toolbox:
    """The tools of one conversation. `call` never raises for what a model can mend."""

    def __init__(self, tools: Sequence[Tool[Any]]) -> None:
        self._tools: Mapping[str, Tool[Any]] = {t.name: t for t in tools}
        self.schemas = tuple(t.schema for t in tools)

    async def call(self, call: ToolCall) -> ToolResult:
        tool = self._tools.get(call.name)
        if tool is None:
            names = ", ".join(self._tools)
            return _error(f"There is no tool {call.name[:80]!r}. Use one of: {names}.")
        try:
            arguments = tool.arguments.model_validate(_parsed(call.arguments))
        except ValidationError as error:
            told = f"{call.name} was not run: {describe(error)}\nSend corrected arguments."
            return replace(_error(told), invalid=True)
        except ValueError as error:
            return _error(
                f"{call.name} was not run: its arguments are not a JSON object ({error}). Send the "
                "whole call again; if it was cut off, write smaller files."
            )
        try:
            return ToolResult(bounded(await tool.run(arguments)))
        except (UserError, AppError) as error:
            return _error(str(error))
        except ModelError:
            raise
        except InfrastructureError as error:
            log.warning("tool not available", tool=call.name, error=str(error))
            return _error(f"{call.name} is not available now ({in_short(error)}) Go on without it.")


def describe(error: ValidationError) -> str:
    """A validation error in one line per problem, each naming its field."""
    problems = [
        f"\n- {'.'.join(str(p) for p in e['loc']) or 'value'}: {e['msg']}"
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    more = len(problems) - MAX_ARGUMENT_PROBLEMS
    shown = "".join(problems[:MAX_ARGUMENT_PROBLEMS])
    return shown + (f"\n- and {more} more" if more > 0 else "")


def bounded(text: str, limit: int = MAX_RESULT_CHARS) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


def _parsed(arguments: str) -> JsonValue:
    value: JsonValue = json.loads(arguments or "{}")
    if not isinstance(value, dict):
        raise ValueError("expected an object")
    # Postgres keeps neither NUL nor a lone surrogate: refused here, where the model can mend it.
    for text in _texts(value):
        if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
            raise ValueError("a text holds NUL or half a character")
    return value


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _error(text: str) -> ToolResult:
    return ToolResult(f"Error: {bounded(text, 6_000)}", failed=True)


def _without_titles(schema: JsonValue) -> Any:
    """Pydantic's titles repeat the field names; they only cost tokens."""
    if isinstance(schema, dict):
        return {
            key: _without_titles(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_without_titles(value) for value in schema]
    return schema
