"""The models application: OpenAI's chat-completions protocol over what is built in."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException

from fleet.domain.chat import Completion, CompletionRequest
from serve.models.blueprint import DESCRIPTION, MODEL_NAMES, parse_model_name, speak
from serve.models.protocol import BadRequest, read_request

CREATED = 1_767_225_600  # the protocol wants a time; a constant keeps answers deterministic
PIECE_CHARS = 4_000


def create_models_app() -> FastAPI:
    """A plain FastAPI app; mounted under /models, its routes stay /v1/…"""
    app = FastAPI(title="appfleet models", openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(BadRequest, _refused)
    app.add_exception_handler(HTTPException, _no_route)
    app.get("/v1/models")(list_models)
    app.get("/v1/models/{name}")(get_model)
    app.post("/v1/chat/completions", response_model=None)(chat_completions)
    return app


async def list_models() -> dict[str, object]:
    return {"object": "list", "data": [_model(name) for name in MODEL_NAMES]}


async def get_model(name: str) -> dict[str, object]:
    if parse_model_name(name) is None:
        raise _unknown(name)
    return _model(name)


async def chat_completions(request: Request) -> JSONResponse | StreamingResponse:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}") from error
    wanted, streamed, with_usage = read_request(body)
    fault = parse_model_name(wanted.model)
    if fault is None:
        raise _unknown(wanted.model)
    # Deriving an app takes tens of milliseconds of pure computing: off the event loop.
    completion = await asyncio.to_thread(speak, wanted, fault)
    head = _head(wanted, completion)
    if not streamed:
        return JSONResponse(_whole(head, completion))
    return StreamingResponse(
        _events(head, completion, with_usage=with_usage), media_type="text/event-stream"
    )


def _model(name: str) -> dict[str, object]:
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": "appfleet",
        "description": DESCRIPTION,
    }


def _unknown(name: str) -> BadRequest:
    return BadRequest(
        f"The model {name!r} does not exist. There are: {', '.join(MODEL_NAMES)}.",
        status=404,
        code="model_not_found",
        param="model",
    )


def _head(request: CompletionRequest, completion: Completion) -> dict[str, Any]:
    text = completion.model_dump_json() + str(len(request.messages))
    digest = hashlib.sha256(text.encode()).hexdigest()[:24]
    return {"id": f"chatcmpl-{digest}", "created": CREATED, "model": request.model}


def _whole(head: dict[str, Any], completion: Completion) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": completion.message.content or None}
    if completion.message.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in completion.message.tool_calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": completion.finish.value}
    return {
        **head,
        "object": "chat.completion",
        "choices": [choice],
        "usage": _usage(completion),
    }


async def _events(
    head: dict[str, Any], completion: Completion, *, with_usage: bool
) -> AsyncIterator[bytes]:
    head = {**head, "object": "chat.completion.chunk"}
    for delta in _deltas(completion):
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    end = {"index": 0, "delta": {}, "finish_reason": completion.finish.value}
    yield _event({**head, "choices": [end]})
    if with_usage:
        yield _event({**head, "choices": [], "usage": _usage(completion)})
    yield b"data: [DONE]\n\n"


def _deltas(completion: Completion) -> list[dict[str, Any]]:
    """Text and arguments in pieces, as a model that thinks would send them."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": completion.message.content}]
    for index, call in enumerate(completion.message.tool_calls):
        opening = {"name": call.name, "arguments": ""}
        first = {"index": index, "id": call.id, "type": "function", "function": opening}
        deltas.append({"tool_calls": [first]})
        for start in range(0, len(call.arguments), PIECE_CHARS):
            piece = {"arguments": call.arguments[start : start + PIECE_CHARS]}
            deltas.append({"tool_calls": [{"index": index, "function": piece}]})
    return deltas


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def _usage(completion: Completion) -> dict[str, int]:
    usage = completion.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BadRequest)
    return JSONResponse(error.body(), status_code=error.status)


async def _no_route(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    told = BadRequest(str(error.detail), status=error.status_code, code="unknown_url")
    return JSONResponse(told.body(), status_code=error.status_code)
