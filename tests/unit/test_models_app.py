"""The models application speaks OpenAI's protocol."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from serve.models.app import create_models_app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_models_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://models") as opened:
        yield opened


def body(**more: Any) -> dict[str, Any]:
    return {"model": "blueprint", "messages": [{"role": "user", "content": "hi"}], **more}


async def test_the_listing_says_that_blueprint_is_no_language_model(
    client: httpx.AsyncClient,
) -> None:
    listed = (await client.get("/v1/models")).json()["data"]
    assert "blueprint+type-error" in [m["id"] for m in listed]
    assert all("not a language model" in m["description"] for m in listed)


async def test_an_answer_has_text_finish_and_usage(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/chat/completions", json=body())).json()
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert "not a language model" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["total_tokens"] > 0


async def test_a_stream_adds_up_to_the_whole_answer(client: httpx.AsyncClient) -> None:
    request = "```json appfleet:request\n" + json.dumps({"message": "CRM", "files": []}) + "\n```"
    tools = [{"type": "function", "function": {"name": "submit_plan", "parameters": {}}}]
    asked = body(messages=[{"role": "user", "content": request}], tools=tools)
    whole = (await client.post("/v1/chat/completions", json=asked)).json()
    streamed = {**asked, "stream": True, "stream_options": {"include_usage": True}}
    text = (await client.post("/v1/chat/completions", json=streamed)).text
    events = [e.removeprefix("data: ") for e in text.split("\n\n") if e]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(e) for e in events[:-1]]
    deltas = [c["choices"][0]["delta"] for c in chunks if c["choices"]]
    parts = [t["function"]["arguments"] for d in deltas for t in d.get("tool_calls", [])]
    call = whole["choices"][0]["message"]["tool_calls"][0]
    assert "".join(parts) == call["function"]["arguments"]
    assert json.loads(call["function"]["arguments"])["title"] == "CRM"
    assert chunks[-1]["usage"] == whole["usage"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (body(model="gpt-4"), 404, "model_not_found"),
        (body(model="blueprint+nonsense"), 404, "model_not_found"),
        ({"model": "blueprint"}, 400, "invalid_request"),
        (body(messages=[]), 400, "invalid_request"),
        ([], 400, "invalid_request"),
    ],
)
async def test_bad_requests_get_errors_in_the_protocols_shape(
    client: httpx.AsyncClient, sent: object, status: int, code: str
) -> None:
    answer = await client.post("/v1/chat/completions", json=sent)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code


async def test_a_body_that_is_not_json_and_an_unknown_url_are_told_so(
    client: httpx.AsyncClient,
) -> None:
    assert (await client.post("/v1/chat/completions", content=b"{")).status_code == 400
    answer = await client.get("/v1/nothing")
    assert answer.status_code == 404
    assert "error" in answer.json()


async def test_any_seed_and_any_mixture_is_a_model_though_the_list_shows_examples(
    client: httpx.AsyncClient,
) -> None:
    for name in ("blueprint+seed-123456", "blueprint+slow+raw-tool-call", "blueprint+long-37"):
        answer = await client.get(f"/v1/models/{name}")
        assert answer.status_code == 200
        assert answer.json()["id"] == name
    assert (await client.get("/v1/models/blueprint+seed-x")).status_code == 404


async def test_a_slow_model_takes_its_time_and_holds_nobody_up(client: httpx.AsyncClient) -> None:
    began = time.monotonic()
    slow = asyncio.create_task(
        client.post("/v1/chat/completions", json=task_body("blueprint+slow"))
    )
    await client.post("/v1/chat/completions", json=task_body("blueprint"))
    assert time.monotonic() - began < 0.9
    assert (await slow).status_code == 200
    assert 1.0 <= time.monotonic() - began < 5.0


def task_body(model: str) -> dict[str, Any]:
    request = "```json appfleet:request\n" + json.dumps({"message": "CRM", "files": []}) + "\n```"
    tool = {"type": "function", "function": {"name": "submit_plan", "parameters": {}}}
    return body(model=model, messages=[{"role": "user", "content": request}], tools=[tool])
