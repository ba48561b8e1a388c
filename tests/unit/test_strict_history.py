"""Whatever a record holds, what goes over the wire is taken by the strictest server."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fleet.domain.chat import ChatMessage, Role, ToolCall
from fleet.drivers.openai.dialect import Dialect, adapted, says_no_tools
from fleet.drivers.openai.wire import wire_messages
from tests.strict_server import violations

TEXTS = ("", " ", "words", "\0", "\ud83d half", "```json\n{}\n```", "long " * 200)
NAMES = ("write_file", "no such tool!", "", "x" * 200, "ünïcode")
ARGUMENTS = ("{}", "", "[1]", "{oops", '{"a": NaN}', "null", '{"a": "\0"}', "[" * 3_000)
IDS = ("a", "b", "", "call_0", "x" * 90, "with space")


def anything(chance: random.Random) -> tuple[ChatMessage, ...]:
    """A conversation in no order at all."""

    def message() -> ChatMessage:
        calls = tuple(
            ToolCall(
                id=chance.choice(IDS),
                name=chance.choice(NAMES),
                arguments=chance.choice(ARGUMENTS),
            )
            for _ in range(chance.choice((0, 0, 1, 3)))
        )
        role = chance.choice((*Role, Role.TOOL, Role.TOOL))
        return ChatMessage(
            role=role,
            content=chance.choice(TEXTS),
            tool_calls=calls,
            tool_call_id=chance.choice((None, *IDS)) if role is Role.TOOL else None,
        )

    return tuple(message() for _ in range(chance.randrange(12)))


def sent(messages: tuple[ChatMessage, ...], *, alternating: bool = False) -> list[dict[str, Any]]:
    return wire_messages(messages, alternating=alternating)


@pytest.mark.parametrize("alternating", [False, True])
def test_no_conversation_whatever_is_refused(alternating: bool) -> None:
    for seed in range(2_000):
        messages = anything(random.Random(seed))
        wire = sent(messages, alternating=alternating)
        assert violations({"messages": wire}, alternating=alternating) == [], (seed, messages)


def test_what_is_valid_already_goes_over_the_wire_as_it_is() -> None:
    call = ToolCall(id="a", name="list_files", arguments="{}")
    messages = (
        ChatMessage(role=Role.SYSTEM, content="rules"),
        ChatMessage(role=Role.USER, content="go"),
        ChatMessage(role=Role.ASSISTANT, content="I look.", tool_calls=(call,)),
        ChatMessage(role=Role.TOOL, content="none", tool_call_id="a"),
        ChatMessage(role=Role.USER, content="the gate is red"),
    )
    wire = sent(messages)
    assert [m["role"] for m in wire] == ["system", "user", "assistant", "tool", "user"]
    assert [m["content"] for m in wire] == [m.content for m in messages]


def test_a_prompt_that_grows_at_its_end_keeps_its_beginning_on_the_wire() -> None:
    """Or no serving engine's prefix cache would ever hit."""
    for seed in range(300):
        chance = random.Random(seed)
        messages = (
            ChatMessage(role=Role.SYSTEM, content="rules"),
            ChatMessage(role=Role.USER, content="go"),
        )
        before = sent(messages)
        for turn in range(6):
            calls = tuple(
                ToolCall(id=chance.choice(IDS), name="list_files", arguments="{}")
                for _ in range(chance.randrange(1, 3))
            )
            messages += (
                ChatMessage(role=Role.ASSISTANT, tool_calls=calls),
                *(ChatMessage(role=Role.TOOL, content=f"{turn}", tool_call_id=c.id) for c in calls),
            )
            now = sent(messages)
            assert now[: len(before)] == before
            before = now


def test_results_of_calls_with_one_id_stay_with_their_calls() -> None:
    calls = tuple(ToolCall(id="a", name=f"tool{n}", arguments="{}") for n in range(2))
    wire = sent(
        (
            ChatMessage(role=Role.USER, content="go"),
            ChatMessage(role=Role.ASSISTANT, tool_calls=calls),
            ChatMessage(role=Role.TOOL, content="first", tool_call_id="a"),
            ChatMessage(role=Role.TOOL, content="second", tool_call_id="a"),
        )
    )
    made: Any = wire[1]["tool_calls"]
    ids = [c["id"] for c in made]
    assert [m["tool_call_id"] for m in wire[2:]] == ids
    assert [m["content"] for m in wire[2:]] == ["first", "second"]


# Words of real servers.
SAID = {
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    "'max_completion_tokens' instead.": Dialect(named_length=True),
    "Unsupported value: 'temperature' does not support 0.0 with this model.": Dialect(
        temperature=False
    ),
    'tool_choice "required" is not supported by this model': Dialect(tool_choice=False),
    "Unexpected role 'user' after role 'tool'": Dialect(alternating=True),
    "After the optional system message, conversation roles must alternate user/assistant/user/"
    "assistant/...": Dialect(alternating=True),
    "This model's maximum context length is 8192 tokens.": None,
}


@pytest.mark.parametrize("said", SAID, ids=lambda s: s[:30])
def test_a_dialect_is_learned_from_a_refusal_once(said: str) -> None:
    learned = adapted(Dialect(), 400, said)
    assert learned == SAID[said]
    assert adapted(Dialect(), 500, said) is None
    if learned is not None:
        assert adapted(learned, 400, said) is None


@pytest.mark.parametrize(
    "said",
    [
        "registry/gemma:2b does not support tools",
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        "tools param requires --jinja flag",
        "Tool use is not supported by this model.",
        "Function calling is not enabled for models/gemma-3-27b-it",
    ],
)
def test_a_model_without_tools_is_known_by_its_words(said: str) -> None:
    assert says_no_tools(said)
    assert adapted(Dialect(), 400, said) is None
