"""Reads a model's text: what it thought, and the tool calls it wrote as text. Pure.

Servers whose tool parser does not fit the model leave calls in the content, each family in its own
dress. A call is taken only where its name is a known tool, and never out of the model's thinking,
so that JSON in prose is never run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from fleet.generation.arguments import decode_first

# What may open a call or a thought; the first group of a pair that matched says which.
_OPENING = re.compile(
    r"(?P<thought></?think(?:ing)?>)"
    r"|(?P<tool_call><tool_call>)"
    r"|<function=(?P<function>[\w.:-]{1,80})>"
    r"|(?P<tag><\|python_tag\|>|\[TOOL_CALLS\])"
    r"|^(?P<fence>```(?:json|tool_call|tool_code)?[ \t]*)$",
    re.M,
)
_NAME = re.compile(r'"(?:name|tool|tool_name|function)"\s*:\s*"([^"\\]{1,80})"')
_MISTRAL = re.compile(r"\s*([\w.:-]{1,80})\s*(?:\[ARGS\])?\s*(?=\{)")
_NAME_KEYS = ("name", "tool", "tool_name")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_input")

# Each try may read to the end of the text; a loop of openings must not hold the process.
MAX_TRIED = 100

Known = Callable[[str], str | None]  # the tool's proper name, None when there is no such tool


@dataclass(frozen=True)
class RawCall:
    """`arguments` is text that may be no JSON; `cut` when the answer ended inside the call."""

    name: str
    arguments: str
    cut: bool = False


@dataclass(frozen=True)
class Text:
    """`said` is the content without thoughts and without the calls taken out of it.

    `unknown` are names that were called as text and are no tools.
    """

    said: str
    calls: tuple[RawCall, ...] = ()
    unknown: tuple[str, ...] = ()
    thought: bool = False


def read_text(content: str, known: Known, *, salvage: bool) -> Text:
    """Without `salvage` only the thoughts are taken out."""
    reader = _Reader(content, known)
    return reader.read(salvage=salvage)


class _Reader:
    def __init__(self, content: str, known: Known) -> None:
        self._text = content
        self._known = known
        self._said: list[str] = []
        self._calls: list[RawCall] = []
        self._unknown: list[str] = []
        self._thought = False

    def read(self, *, salvage: bool) -> Text:
        at = tried = 0
        while tried < MAX_TRIED and (match := _OPENING.search(self._text, at)) is not None:
            self._said.append(self._text[at : match.start()])
            if match["thought"]:
                at = self._skip_thought(match)
                continue
            tried += 1
            found = self._calls_at(match) if salvage else None
            if found is None:
                self._said.append(match[0])
                at = match.end()
            else:
                calls, at = found
                self._calls += calls
        self._said.append(self._text[at:])
        said = "".join(self._said).strip()
        if salvage and not self._calls and said[:1] in ("{", "["):
            bare = self._json_calls(said, 0, wanted=_must_have_arguments)
            if bare is not None and not said[bare[1] :].strip():
                self._calls, said = bare[0], ""
        return Text(said, tuple(self._calls), tuple(self._unknown), self._thought)

    def _skip_thought(self, match: re.Match[str]) -> int:
        self._thought = True
        tag = match["thought"]
        if tag.startswith("</"):
            # Its opening stands in the prompt: all before was thinking, calls included.
            self._said, self._calls, self._unknown = [], [], []
            return match.end()
        closing = self._text.find(f"</{tag[1:]}", match.end())
        return len(self._text) if closing < 0 else closing + len(tag) + 1

    def _calls_at(self, match: re.Match[str]) -> tuple[list[RawCall], int] | None:
        """The calls that open here and where they end; None when it is no call after all."""
        if match["function"]:
            return self._function(match["function"], match.end())
        if match["fence"]:
            return self._fence(match.end())
        if match["tag"]:
            return self._tagged(match.end())
        return self._tool_call(match.end())

    def _tool_call(self, at: int) -> tuple[list[RawCall], int] | None:
        closing = self._text.find("</tool_call>", at)
        body = self._text[at : closing if closing >= 0 else len(self._text)]
        if (inner := re.match(r"\s*<function=([\w.:-]{1,80})>", body)) is not None:
            found = self._function(inner[1], at + inner.end())
            return found and (found[0], self._past("</tool_call>", found[1]))
        if body.lstrip()[:1] in ("{", "["):
            found = self._json_calls(self._text, at)
            return found and (found[0], self._past("</tool_call>", found[1]))
        name, _, rest = body.strip().partition("\n")
        name = name.partition("<")[0].strip()
        if not (proper := self._proper(name)):
            return None
        arguments = json.dumps(
            _pairs(rest or body, "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")
        )
        end = closing + len("</tool_call>") if closing >= 0 else len(self._text)
        return [RawCall(proper, arguments, cut=closing < 0)], end

    def _function(self, name: str, at: int) -> tuple[list[RawCall], int] | None:
        if not (proper := self._proper(name)):
            return None
        closing = self._text.find("</function>", at)
        body = self._text[at : closing if closing >= 0 else len(self._text)]
        end = closing + len("</function>") if closing >= 0 else len(self._text)
        if "<parameter=" in body:
            arguments = json.dumps(_pairs(body, "<parameter=", ">", "", "</parameter>"))
            return [RawCall(proper, arguments, cut=closing < 0)], end
        value = decode_first(body)
        if value is not None and closing < 0:
            return [RawCall(proper, body[: value[1]])], at + value[1]
        return [RawCall(proper, body.strip(), cut=closing < 0)], end

    def _tagged(self, at: int) -> tuple[list[RawCall], int] | None:
        if (mistral := _MISTRAL.match(self._text, at)) is not None:
            return self._function(mistral[1], mistral.end())
        return self._json_calls(self._text, at)

    def _fence(self, at: int) -> tuple[list[RawCall], int] | None:
        """Only a fence that holds nothing but calls of known tools, with arguments."""
        closing = self._text.find("\n```", at)
        body = self._text[at : closing if closing >= 0 else len(self._text)]
        found = self._json_calls(body, 0, wanted=_must_have_arguments)
        if found is None or body[found[1] :].strip():
            return None
        return found[0], closing + 4 if closing >= 0 else len(self._text)

    def _json_calls(
        self, text: str, at: int, wanted: Callable[[JsonValue], bool] | None = None
    ) -> tuple[list[RawCall], int] | None:
        """Calls as JSON from `at` on. What cannot be read is taken to its end, for the model to
        hear that it was cut off, if it names a known tool."""
        decoded = decode_first(text, at)
        if decoded is None:
            return self._unreadable(text, at)
        value, end = decoded
        values = _listed(value)
        if not values or (wanted and not all(wanted(v) for v in values)):
            return None
        calls: list[RawCall] = []
        for one in values:
            name, arguments = _call_of(one)
            if not (proper := self._proper(name)):
                return None
            calls.append(RawCall(proper, arguments))
        return calls, end

    def _unreadable(self, text: str, at: int) -> tuple[list[RawCall], int] | None:
        found = _NAME.search(text, at, at + 2_000)
        opens = text[at:].lstrip()[:1] in ("{", "[")
        if found is None or not opens or not (proper := self._proper(found[1])):
            return None
        if not re.search(r'"(?:arguments|parameters|args|input|tool_input)"', text[at:]):
            return None
        closing = text.find("</tool_call>", at)
        end = closing if closing >= 0 else len(text)
        return [RawCall(proper, text[at:end].strip(), cut=closing < 0)], end

    def _proper(self, name: str) -> str | None:
        proper = self._known(name)
        if proper is None and name:
            self._unknown.append(name)
        return proper

    def _past(self, closing: str, at: int) -> int:
        """After the closing tag, if only white space stands before it."""
        match = re.compile(r"\s*" + re.escape(closing)).match(self._text, at)
        return match.end() if match else at


def _pairs(body: str, *marks: str) -> dict[str, str]:
    """Names and values between four marks, in one pass; a pair that does not end is left out."""
    found: dict[str, str] = {}
    at = 0
    while True:
        ends: list[int] = []
        for mark in marks:
            at = body.find(mark, at)
            if at < 0:
                return found
            ends += [at, at := at + len(mark)]
        name = body[ends[1] : ends[2]].strip()
        value = body[ends[5] : ends[6]]
        found[name] = value.removeprefix("\n").removesuffix("\n")


def _listed(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    return value if isinstance(value, list) else [value]


def _call_of(value: JsonValue) -> tuple[str, str]:
    """(name, arguments as text) of a call as some model writes it; ("", "") when it is none."""
    if not isinstance(value, dict):
        return "", ""
    inner = value.get("function")
    if isinstance(inner, dict):
        return _call_of(inner)
    names = [value.get(key) for key in _NAME_KEYS] + [inner]
    name = next((n for n in names if isinstance(n, str)), "")
    arguments = next((value[key] for key in _ARGUMENT_KEYS if key in value), {})
    return name, arguments if isinstance(arguments, str) else json.dumps(arguments)


def _must_have_arguments(value: JsonValue) -> bool:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    return isinstance(value, dict) and any(key in value for key in _ARGUMENT_KEYS)
