"""Rules for malformed answers, one completion at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet.domain.chat import (
    ChatMessage,
    Completion,
    FinishReason,
    Role,
    ToolCall,
    ToolSchema,
    Usage,
)
from fleet.generation.arguments import Unreadable, fit, parse_arguments
from fleet.generation.malformed import (
    ADVICE,
    MAX_TOKENS,
    MIN_TOKENS,
    Problem,
    Reading,
    asking,
    read_completion,
)

WRITE = ToolSchema(
    name="write_file",
    description="",
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path", "content"],
    },
)
LIST = ToolSchema(
    name="list_files", description="", parameters={"type": "object", "properties": {}}
)
TOOLS = (WRITE, LIST)
ARGUMENTS = {"path": "a.ts", "content": "<main/>"}
CALL = json.dumps({"name": "write_file", "arguments": ARGUMENTS})
TALK = (ChatMessage(role=Role.USER, content="go"),)


def read(text: str = "", *calls: ToolCall, finish: str = "stop", **fields: Any) -> Reading:
    message = ChatMessage(role=Role.ASSISTANT, content=text, tool_calls=calls)
    completion = Completion(message=message, finish=FinishReason(finish), usage=Usage(), **fields)
    return read_completion(completion, TOOLS, TALK)


def called(reading: Reading) -> list[tuple[str, Any]]:
    return [(c.call.name, json.loads(c.call.arguments)) for c in reading.calls if not c.told]


def call(name: str, arguments: str, call_id: str = "a") -> ToolCall:
    return ToolCall(id=call_id, name=name, arguments=arguments)


RAW = {
    "hermes": f"<tool_call>{CALL}</tool_call>",
    "hermes without its end": f"<tool_call>\n{CALL}",
    "hermes with a list": f"<tool_call>[{CALL}]</tool_call>",
    "llama's function": f"<function=write_file>{json.dumps(ARGUMENTS)}</function>",
    "llama's tag": f'<|python_tag|>{{"name": "write_file", "parameters": {json.dumps(ARGUMENTS)}}}',
    "mistral's tag": f"[TOOL_CALLS] [{CALL}]",
    "mistral's newer tag": f"[TOOL_CALLS]write_file[ARGS]{json.dumps(ARGUMENTS)}",
    "qwen's coder": "<tool_call>\n<function=write_file>\n<parameter=path>\na.ts\n</parameter>\n"
    "<parameter=content>\n<main/>\n</parameter>\n</function>\n</tool_call>",
    "glm": "<tool_call>write_file\n<arg_key>path</arg_key>\n<arg_value>a.ts</arg_value>\n"
    "<arg_key>content</arg_key>\n<arg_value><main/></arg_value>\n</tool_call>",
    "a fence": f"I write it now.\n\n```json\n{CALL}\n```\n",
    "a fence with tool and args": "```\n"
    + json.dumps({"tool": "write_file", "args": ARGUMENTS})
    + "\n```",
    "openai's own form": json.dumps({"tool_calls": [{"function": json.loads(CALL)}]}),
    "encoded twice": json.dumps({"name": "write_file", "arguments": json.dumps(ARGUMENTS)}),
    "after thinking": f"<think>Which? {CALL}</think><tool_call>{CALL}</tool_call>",
    "after thoughts that began in the prompt": f"list? </think>\n<tool_call>{CALL}</tool_call>",
}


@pytest.mark.parametrize("text", RAW.values(), ids=RAW)
def test_a_call_written_as_text_is_made(text: str) -> None:
    reading = read(text)
    assert called(reading) == [("write_file", ARGUMENTS)]
    assert reading.problem is Problem.RAW_CALL
    assert "write_file" not in reading.content


PROSE = {
    "JSON in prose": f"You could send {CALL} but I would not.",
    "a fence of a config": '```json\n{"name": "my-app", "version": "1.0.0"}\n```',
    "a fence that names a tool without arguments": '```json\n{"name": "list_files"}\n```',
    "a fence that holds more than a call": f"```json\n{CALL}\n// like this\n```",
    "an unknown tool in a fence": '```json\n{"name": "rm", "arguments": {"path": "/"}}\n```',
    "code that is no JSON": "```\nwrite_file(path='a.ts')\n```",
}


@pytest.mark.parametrize("text", PROSE.values(), ids=PROSE)
def test_JSON_in_prose_is_never_run(text: str) -> None:
    reading = read(text)
    assert reading.calls == ()
    assert reading.content == text.strip()


def test_a_call_inside_thinking_is_never_made() -> None:
    reading = read(f"<think>\n<tool_call>{CALL}</tool_call>\n</think>\nNo.")
    assert (reading.calls, reading.content) == ((), "No.")


def test_a_thought_without_end_is_all_thought() -> None:
    reading = read(f"<think>\n<tool_call>{CALL}</tool_call>")
    assert (reading.calls, reading.problem) == ((), Problem.REASONING)


def test_text_beside_real_calls_is_never_taken_for_a_call() -> None:
    reading = read(f"<tool_call>{CALL}</tool_call>", call("list_files", "{}"))
    assert called(reading) == [("list_files", {})]


def test_a_tag_with_an_unknown_tool_is_told_what_there_is() -> None:
    reading = read('<tool_call>{"name": "shell", "arguments": {}}</tool_call>')
    assert reading.problem is Problem.UNKNOWN_TOOL
    assert "write_file, list_files" in reading.advice


@pytest.mark.parametrize(
    "name",
    ["writeFile", "functions.write_file", "default_api:write_file", "write_file<|channel|>x"],
)
def test_a_name_with_one_meaning_is_that_tool(name: str) -> None:
    assert called(read("", call(name, json.dumps(ARGUMENTS)))) == [("write_file", ARGUMENTS)]


def test_an_unknown_tool_is_told_the_nearest_and_all() -> None:
    told = read("", call("write_fil\0", "{}")).calls[0].told
    assert "Did you mean write_file?" in told
    assert "write_file, list_files" in told
    name = read("", call("no such tool!", "{}")).calls[0].call.name
    assert name == "no_such_tool"


@pytest.mark.parametrize(
    "arguments", ['{"path": "a.ts", "content": "<ma', '{"path"', "{", '"{\\"p']
)
def test_cut_arguments_are_not_run_and_kept_short(arguments: str) -> None:
    long = arguments + " " * 5_000
    made = read("", call("write_file", long)).calls[0]
    assert "Split the work" in made.told
    assert isinstance(json.loads(made.call.arguments), dict)
    assert len(made.call.arguments) < 1_000


def test_a_last_call_without_arguments_in_a_cut_answer_is_cut() -> None:
    reading = read("", call("list_files", "", "a"), call("list_files", "", "b"), finish="length")
    assert [bool(c.told) for c in reading.calls] == [False, True]
    assert reading.problem is Problem.TRUNCATED


def test_ids_are_told_apart_over_the_whole_conversation() -> None:
    before = ChatMessage(role=Role.ASSISTANT, tool_calls=(call("list_files", "{}", "call_0"),))
    completion = Completion(
        message=ChatMessage(
            role=Role.ASSISTANT,
            tool_calls=tuple(call("list_files", "{}", i) for i in ("call_0", "", "x y", "call_0")),
        ),
        finish=FinishReason.TOOL_CALLS,
        usage=Usage(),
    )
    reading = read_completion(completion, TOOLS, (*TALK, before))
    ids = [c.call.id for c in reading.calls]
    assert len({*ids, "call_0"}) == 5
    assert all(i.isalnum() and len(i) == 9 for i in ids)


REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I\u2019m sorry, but I can\u2019t assist with that request.",
    "I cannot help with building this.",
    "Sorry, I can't do that.",
    "As an AI, I am not able to take part in this.",
    "Unfortunately, I am unable to comply.",
)
NO_REFUSALS = (
    "I can't find the file, so I look for it.",
    "I'm sorry for the mistake; I write the file now.",
    "Done. I cannot see anything wrong.",
    "The page says 'I can't help with that.'",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_in_plain_words_is_one(text: str) -> None:
    reading = read(text)
    assert reading.problem is Problem.REFUSAL
    assert reading.content == text


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_other_words_are_no_refusal(text: str) -> None:
    assert read(text).problem is Problem.NONE


def test_only_a_repeated_refusal_ends_the_task_and_in_its_own_words() -> None:
    first = read(REFUSALS[0])
    assert first.ends == ""
    talk = (*TALK, ChatMessage(role=Role.USER, content=first.advice + "\n\nAnd more."))
    completion = Completion(
        message=ChatMessage(role=Role.ASSISTANT),
        finish=FinishReason.STOP,
        usage=Usage(),
        refusal="Never.",
    )
    assert "Never." in read_completion(completion, TOOLS, talk).ends


def test_room_shrinks_with_every_thought_without_end_down_to_a_floor() -> None:
    advice = ChatMessage(role=Role.USER, content=ADVICE[Problem.REASONING])
    said = ChatMessage(role=Role.ASSISTANT, content="[thought]")
    rooms = [asking((*TALK, *[said, advice] * n), "auto").max_tokens for n in range(6)]
    assert rooms == [MAX_TOKENS, 8_000, 4_000, MIN_TOKENS, MIN_TOKENS, MIN_TOKENS]
    assert asking((*TALK, said, advice), "none").tool_choice == "none"


PARSED: dict[str, Any] = {
    "": {},
    '{"a": 1}': {"a": 1},
    '"{\\"a\\": 1}"': {"a": 1},
    '```json\n{"a": 1}\n```': {"a": 1},
    '{"a": "two\nlines"}': {"a": "two\nlines"},
    '{}{"a": 1}': {"a": 1},
    '{"a": 1}}': {"a": 1},
    "{'a': True, 'b': None}": {"a": True, "b": None},
    '{"a": "b': Unreadable.CUT,
    '{"a": [1, {': Unreadable.CUT,
    '{"a": "say "hi""}': Unreadable.BAD,
    "[1]": Unreadable.BAD,
    "null": Unreadable.BAD,
    '{"a": NaN}': Unreadable.BAD,
    '{"a": 1e999}': Unreadable.BAD,
    '{"a": 1} {"a": 2}': Unreadable.BAD,
    '{"a": ' + "[" * 100_000: Unreadable.CUT,
    '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}": Unreadable.BAD,
}


@pytest.mark.parametrize("text", PARSED, ids=lambda t: repr(t[:24]))
def test_arguments_are_read_where_they_have_one_meaning(text: str) -> None:
    assert parse_arguments(text) == PARSED[text]


SCHEMA: dict[str, Any] = {
    "type": "object",
    "$defs": {
        "Part": {"type": "object", "properties": {"n": {"type": "integer"}}},
        "Kind": {"type": "string", "enum": ["query", "mutation"]},
    },
    "properties": {
        "n": {"type": "integer", "default": 1},
        "x": {"type": "number"},
        "yes": {"type": "boolean"},
        "text": {"type": "string"},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "names": {"type": "array", "items": {"type": "string"}},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
        "part": {"$ref": "#/$defs/Part"},
        "kind": {"$ref": "#/$defs/Kind"},
        "any": {"default": None},
    },
    "required": ["text"],
}
FITTED = [
    ({"n": "5"}, {"n": 5}),
    ({"n": 5.0}, {"n": 5}),
    ({"n": None}, {}),
    ({"n": "five"}, {"n": "five"}),
    ({"n": True}, {"n": True}),
    ({"x": "1.5"}, {"x": 1.5}),
    ({"yes": "True"}, {"yes": True}),
    ({"yes": "1"}, {"yes": "1"}),
    ({"text": 5}, {"text": "5"}),
    ({"text": "5"}, {"text": "5"}),
    ({"text": None}, {"text": None}),
    ({"text": {"a": 1}}, {"text": {"a": 1}}),
    ({"maybe": None}, {"maybe": None}),
    ({"maybe": "7"}, {"maybe": 7}),
    ({"names": "a"}, {"names": ["a"]}),
    ({"names": '["a", "b"]'}, {"names": ["a", "b"]}),
    ({"parts": '[{"n": "1"}]'}, {"parts": [{"n": 1}]}),
    ({"parts": {"n": 1}}, {"parts": [{"n": 1}]}),
    ({"part": '{"n": "2"}'}, {"part": {"n": 2}}),
    ({"kind": "QUERY"}, {"kind": "query"}),
    ({"any": '{"a": 1}'}, {"any": {"a": 1}}),
    ({"any": "a"}, {"any": "a"}),
    ({"other": "5"}, {"other": "5"}),
]


@pytest.mark.parametrize(("sent", "fitted"), FITTED, ids=lambda v: json.dumps(v))
def test_types_are_mended_where_one_meaning_is_possible(sent: Any, fitted: Any) -> None:
    assert fit(sent, SCHEMA) == fitted
