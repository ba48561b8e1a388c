"""Faults of the built-in model as they arrive through the platform's own driver of the protocol."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn

from fleet.domain.chat import Completion, CompletionRequest, FinishReason, ToolSchema
from fleet.drivers.openai.model import OpenAIChatModel
from serve.models.app import create_models_app
from serve.models.blueprint.fault import REFUSAL_WORDS
from tests.unit.blueprint_driver import PRODUCER_TOOLS, Build, scaffold_files


@pytest.fixture
async def model() -> AsyncIterator[OpenAIChatModel]:
    """The models application on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_models_app(), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    opened = OpenAIChatModel(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "none")
    try:
        yield opened
    finally:
        await opened.close()
        server.should_exit = True
        async with asyncio.timeout(10):
            await serving


async def first_answer(model: OpenAIChatModel, name: str) -> Completion:
    """To a task that nothing was done for yet."""
    build = Build("A pomodoro timer", scaffold_files())
    build.start(build.plan())
    names = (*PRODUCER_TOOLS, "run_sql", "search")
    tools = tuple(ToolSchema(name=n, description="", parameters={}) for n in names)
    messages = tuple(build.conversation)
    return await model.complete(CompletionRequest(model=name, messages=messages, tools=tools))


async def test_a_refusal_travels_in_its_own_field(model: OpenAIChatModel) -> None:
    completion = await first_answer(model, "blueprint+refusal")
    assert completion.refusal == REFUSAL_WORDS
    assert not completion.message.tool_calls


async def test_endless_reasoning_is_cut_off_and_is_no_content(model: OpenAIChatModel) -> None:
    completion = await first_answer(model, "blueprint+endless-reasoning")
    assert completion.finish is FinishReason.LENGTH
    assert completion.reasoning_chars > 40_000
    assert completion.message.content == ""


async def test_truncated_arguments_arrive_as_they_were_cut(model: OpenAIChatModel) -> None:
    completion = await first_answer(model, "blueprint+truncated-json")
    (call,) = completion.message.tool_calls
    assert completion.finish is FinishReason.LENGTH
    with pytest.raises(json.JSONDecodeError):
        json.loads(call.arguments)


async def test_raw_tool_calls_arrive_as_text(model: OpenAIChatModel) -> None:
    completion = await first_answer(model, "blueprint+raw-tool-call")
    assert not completion.message.tool_calls
    assert completion.message.content.count("<tool_call>") > 1


async def test_an_empty_answer_is_an_answer(model: OpenAIChatModel) -> None:
    completion = await first_answer(model, "blueprint+empty-answers")
    assert completion.message.content == "" and not completion.message.tool_calls


async def test_parallel_calls_arrive_whole_though_they_share_an_id(model: OpenAIChatModel) -> None:
    completion = await first_answer(model, "blueprint+parallel")
    names = [call.name for call in completion.message.tool_calls]
    assert names[-1] == "claim_done" and len(names) > 3
    assert len({call.id for call in completion.message.tool_calls}) == len(names)
    for call in completion.message.tool_calls:
        json.loads(call.arguments)


async def test_an_oversized_file_is_larger_than_one_write_takes(model: OpenAIChatModel) -> None:
    (call,) = (await first_answer(model, "blueprint+oversized-file")).message.tool_calls
    assert len(json.loads(call.arguments)["content"]) > 200_000
