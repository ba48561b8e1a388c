"""The `ChatModel` port: one body for every driver, then the faults of a real endpoint."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from fleet.domain.chat import (
    ChatMessage,
    Completion,
    CompletionRequest,
    FinishReason,
    Role,
    ToolCall,
    ToolSchema,
    Usage,
)
from fleet.drivers.memory.model import ScriptedModel
from fleet.drivers.openai.model import OpenAIChatModel
from fleet.errors import ModelError
from fleet.ports import ChatModel

Handler = Callable[[web.Request, int], Awaitable[web.StreamResponse]]

TOOL = ToolSchema(name="add", description="Adds.", parameters={"type": "object"})
REQUEST = CompletionRequest(
    model="m", messages=(ChatMessage(role=Role.USER, content="hello"),), tools=(TOOL,)
)


class Endpoint:
    """A local model server whose behaviour is `handler(request, attempt)`."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.handler: Handler | None = None
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        assert self.handler is not None
        return await self.handler(request, len(self.bodies))

    def model(self, **options: Any) -> OpenAIChatModel:
        settings = {"timeout_s": 2.0, "max_retries": 2, "backoff_s": 0.01, **options}
        return OpenAIChatModel(self.url, "key", **settings)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    served = Endpoint()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", served.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield served
    await runner.cleanup()


def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps(
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [choice],
        }
    )


USAGE = json.dumps(
    {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }
)


async def sse(request: web.Request, chunks: list[str], *, cut: bool = False) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    for data in chunks:
        await response.write(f"data: {data}\n\n".encode())
    if cut:
        assert request.transport is not None
        request.transport.abort()
        return response
    await response.write(b"data: [DONE]\n\n")
    return response


def saying(*chunks: str) -> Handler:
    return lambda request, _: sse(request, list(chunks))


def call(index: int | None, **parts: Any) -> dict[str, Any]:
    function = {k: parts.pop(k) for k in ("name", "arguments") if k in parts}
    entry: dict[str, Any] = {"type": "function", "function": function, **parts}
    if index is not None:
        entry["index"] = index
    return {"tool_calls": [entry]}


GOOD = (chunk({"role": "assistant", "content": "Hel"}), chunk({"content": "lo"}))
DONE = (*GOOD, chunk({}, "stop"), USAGE)


@pytest.fixture(params=["openai", "scripted"])
def speaking(request: pytest.FixtureRequest, endpoint: Endpoint) -> ChatModel:
    """A model that first says Hello, then calls a tool."""
    if request.param == "scripted":
        said = ChatMessage(role=Role.ASSISTANT, content="Hello")
        called = ChatMessage(
            role=Role.ASSISTANT, tool_calls=(ToolCall(id="a", name="add", arguments='{"x":1}'),)
        )
        usage = Usage(prompt_tokens=7, completion_tokens=3, completions=1)
        return ScriptedModel(
            [
                Completion(message=said, finish=FinishReason.STOP, usage=usage),
                Completion(message=called, finish=FinishReason.TOOL_CALLS, usage=usage),
            ]
        )

    async def handler(http: web.Request, attempt: int) -> web.StreamResponse:
        calls = [
            chunk(call(0, id="a", name="add", arguments='{"x"')),
            chunk(call(0, arguments=":1}")),
            chunk({}, "tool_calls"),
            USAGE,
        ]
        return await sse(http, list(DONE) if attempt == 1 else calls)

    endpoint.handler = handler
    return endpoint.model()


async def test_a_model_answers_with_text_then_with_a_tool_call(speaking: ChatModel) -> None:
    heard: list[str] = []
    first = await speaking.complete(REQUEST, heard.append)
    assert first.message.content == "Hello" == "".join(heard)
    assert first.finish is FinishReason.STOP
    assert first.usage == Usage(prompt_tokens=7, completion_tokens=3, completions=1)
    second = await speaking.complete(REQUEST)
    assert second.finish is FinishReason.TOOL_CALLS
    assert second.message.tool_calls == (ToolCall(id="a", name="add", arguments='{"x":1}'),)


async def test_a_spent_script_is_a_model_error() -> None:
    with pytest.raises(ModelError):
        await ScriptedModel([]).complete(REQUEST)


async def test_an_endpoint_that_is_down_is_named_with_what_to_do() -> None:
    model = OpenAIChatModel("http://127.0.0.1:9/v1", "k", 1.0, 1, 0.01)
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9/v1 could not be reached") as caught:
        await model.complete(REQUEST)
    assert "APPFLEET_MODEL_BASE_URL" in caught.value.action
    assert caught.value.retryable


async def test_a_slow_endpoint_is_asked_again_then_given_up(endpoint: Endpoint) -> None:
    never = asyncio.Event()

    async def handler(http: web.Request, _: int) -> web.StreamResponse:
        await never.wait()
        return web.Response()

    endpoint.handler = handler
    with pytest.raises(ModelError, match=r"sent nothing for 0\.1 s \(2 attempts\)"):
        await endpoint.model(timeout_s=0.1, max_retries=1).complete(REQUEST)
    assert len(endpoint.bodies) == 2


async def test_silence_in_mid_stream_is_bounded_too(endpoint: Endpoint) -> None:
    never = asyncio.Event()

    async def handler(http: web.Request, _: int) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(http)
        await response.write(f"data: {GOOD[0]}\n\n".encode())
        await never.wait()
        return response

    endpoint.handler = handler
    with pytest.raises(ModelError, match="sent nothing"):
        await endpoint.model(timeout_s=0.2, max_retries=0).complete(REQUEST)


async def test_a_rate_limit_is_waited_out_as_long_as_it_says(endpoint: Endpoint) -> None:
    async def handler(http: web.Request, attempt: int) -> web.StreamResponse:
        if attempt == 1:
            body = {"error": {"message": "slow down"}}
            return web.json_response(body, status=429, headers={"Retry-After": "0.3"})
        return await sse(http, list(DONE))

    endpoint.handler = handler
    started = asyncio.get_running_loop().time()
    answer = await endpoint.model().complete(REQUEST)
    assert answer.message.content == "Hello"
    assert asyncio.get_running_loop().time() - started >= 0.3


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_error_is_retried_a_bounded_number_of_times(
    endpoint: Endpoint, status: int
) -> None:
    async def handler(http: web.Request, _: int) -> web.StreamResponse:
        return web.Response(status=status, text="<html>oops</html>")

    endpoint.handler = handler
    with pytest.raises(ModelError, match=f"HTTP {status}.*3 attempts"):
        await endpoint.model().complete(REQUEST)
    assert len(endpoint.bodies) == 3


@pytest.mark.parametrize(("status", "hint"), [(401, "API_KEY"), (404, "model 'm'"), (400, "")])
async def test_a_refusal_is_not_retried(endpoint: Endpoint, status: int, hint: str) -> None:
    async def handler(http: web.Request, _: int) -> web.StreamResponse:
        return web.json_response({"error": {"message": "no"}}, status=status)

    endpoint.handler = handler
    with pytest.raises(ModelError, match=f"HTTP {status}: no") as caught:
        await endpoint.model().complete(REQUEST)
    assert len(endpoint.bodies) == 1
    assert not caught.value.retryable
    assert hint in caught.value.action


@pytest.mark.parametrize("hard", [True, False], ids=["connection reset", "no finish reason"])
async def test_a_stream_cut_off_in_the_middle_is_started_again(
    endpoint: Endpoint, hard: bool
) -> None:
    async def handler(http: web.Request, attempt: int) -> web.StreamResponse:
        if attempt == 1:
            return await sse(http, list(GOOD), cut=hard)
        return await sse(http, list(DONE))

    endpoint.handler = handler
    answer = await endpoint.model().complete(REQUEST)
    assert answer.message.content == "Hello"
    assert len(endpoint.bodies) == 2


@pytest.mark.parametrize("junk", ["{not json", '{"error": {"message": "gpu fell off"}}'])
async def test_a_stream_that_turns_into_junk_ends_as_a_model_error(
    endpoint: Endpoint, junk: str
) -> None:
    endpoint.handler = saying(*GOOD, junk)
    with pytest.raises(ModelError):
        await endpoint.model(max_retries=1).complete(REQUEST)
    assert len(endpoint.bodies) == 2


async def test_malformed_arguments_are_kept_raw(endpoint: Endpoint) -> None:
    endpoint.handler = saying(
        chunk(call(0, id="a", name="add", arguments='{"x": ')), chunk({}, "tool_calls")
    )
    answer = await endpoint.model().complete(REQUEST)
    assert answer.message.tool_calls[0].arguments == '{"x": '


async def test_missing_ids_are_made_and_double_ids_are_told_apart(endpoint: Endpoint) -> None:
    endpoint.handler = saying(
        chunk(call(0, name="add", arguments="{}")),
        chunk(call(1, id="x", name="add", arguments="{}")),
        chunk(call(2, id="x", name="add", arguments='{"y":1}')),
        chunk({}, "stop"),
    )
    answer = await endpoint.model().complete(REQUEST)
    ids = [c.id for c in answer.message.tool_calls]
    assert len(set(ids)) == 3
    assert all(ids)
    assert answer.finish is FinishReason.TOOL_CALLS


async def test_calls_without_or_with_repeated_index_are_kept_apart(endpoint: Endpoint) -> None:
    endpoint.handler = saying(
        chunk(call(None, id="a", name="add", arguments='{"n"')),
        chunk(call(None, arguments=":1}")),
        chunk(call(None, id="b", name="add", arguments='{"n":2}')),
        chunk(call(0, id="c", name="add", arguments='{"n":3}')),
        chunk(call(0, id="d", name="add", arguments='{"n":4}')),
        chunk({}, "tool_calls"),
    )
    answer = await endpoint.model().complete(REQUEST)
    assert [json.loads(c.arguments)["n"] for c in answer.message.tool_calls] == [1, 2, 3, 4]


async def test_usage_is_estimated_where_none_is_reported(endpoint: Endpoint) -> None:
    endpoint.handler = saying(*GOOD, chunk({"content": "x" * 400}), chunk({}, "stop"))
    answer = await endpoint.model().complete(REQUEST)
    assert answer.usage.completion_tokens >= 100
    assert answer.usage.completions == 1


async def test_the_history_sent_stays_valid_after_a_malformed_call(endpoint: Endpoint) -> None:
    endpoint.handler = saying(*DONE)
    broken = ToolCall(id="a", name="no such tool!", arguments="{oops")
    history = (
        ChatMessage(role=Role.USER, content="go"),
        ChatMessage(role=Role.ASSISTANT, tool_calls=(broken,)),
        ChatMessage(role=Role.TOOL, content="arguments are not JSON", tool_call_id="a"),
    )
    await endpoint.model().complete(REQUEST.model_copy(update={"messages": history}))
    sent = endpoint.bodies[0]["messages"][1]["tool_calls"][0]["function"]
    assert json.loads(sent["arguments"]) == {"malformed_arguments": "{oops"}
    assert sent["name"] == "unnamed_tool"
    assert endpoint.bodies[0]["stream_options"] == {"include_usage": True}


async def test_thinking_is_counted_and_a_refusal_kept(endpoint: Endpoint) -> None:
    endpoint.handler = saying(
        chunk({"role": "assistant", "reasoning_content": "Hmm. "}),
        chunk({"reasoning": "Well."}),
        chunk({"refusal": "I will "}),
        chunk({"refusal": "not."}),
        chunk({}, "stop"),
    )
    answer = await endpoint.model().complete(REQUEST)
    assert (answer.reasoning_chars, answer.refusal) == (10, "I will not.")
    assert answer.message.content == ""


async def test_a_model_without_tools_is_told_with_what_to_do(endpoint: Endpoint) -> None:
    async def handler(http: web.Request, _: int) -> web.StreamResponse:
        said = "registry/gemma:2b does not support tools"
        return web.json_response({"error": {"message": said}}, status=400)

    endpoint.handler = handler
    with pytest.raises(ModelError, match="takes no tools") as caught:
        await endpoint.model().complete(REQUEST)
    assert "APPFLEET_CODING_MODEL" in caught.value.action
    assert not caught.value.retryable
    assert len(endpoint.bodies) == 1


async def test_an_endpoint_is_asked_in_its_own_dialect_from_its_first_refusal_on(
    endpoint: Endpoint,
) -> None:
    async def handler(http: web.Request, _: int) -> web.StreamResponse:
        body = endpoint.bodies[-1]
        wrong = next((k for k in ("max_tokens", "temperature") if k in body), None)
        if wrong:
            use = "Use 'max_completion_tokens' instead." if wrong == "max_tokens" else ""
            said = f"Unsupported parameter: '{wrong}'. {use}"
            return web.json_response({"error": {"message": said}}, status=400)
        return await sse(http, list(DONE))

    endpoint.handler = handler
    model = endpoint.model(max_retries=0)
    assert (await model.complete(REQUEST)).message.content == "Hello"
    assert len(endpoint.bodies) == 3
    await model.complete(REQUEST)
    assert len(endpoint.bodies) == 4
    assert endpoint.bodies[-1]["max_completion_tokens"] == REQUEST.max_tokens
