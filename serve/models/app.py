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
from serve.models.blueprint import MODEL_NAMES, Spoken, describe, parse_model_name, speak
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
    behaviour = parse_model_name(wanted.model)
    if behaviour is None:
        raise _unknown(wanted.model)
    # Deriving an app takes tens of milliseconds of pure computing: off the event loop.
    spoken = await asyncio.to_thread(speak, wanted, behaviour)
    head = _head(wanted, spoken.completion)
    if not streamed:
        await asyncio.sleep(spoken.delay_s)
        return JSONResponse(_whole(head, spoken))
    return StreamingResponse(
        _events(head, spoken, with_usage=with_usage), media_type="text/event-stream"
    )


def _model(name: str) -> dict[str, object]:
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": "appfleet",
        "description": describe(name),
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


def _whole(head: dict[str, Any], spoken: Spoken) -> dict[str, Any]:
    said = spoken.completion.message
    message: dict[str, Any] = {"role": "assistant", "content": said.content or None}
    message |= _asides(spoken)
    if said.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in said.tool_calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": spoken.completion.finish.value}
    return {
        **head,
        "object": "chat.completion",
        "choices": [choice],
        "usage": _usage(spoken.completion),
    }


def _asides(spoken: Spoken) -> dict[str, str]:
    """What is no content: OpenAI's field for a refusal, and the usual one for thinking."""
    asides = {"refusal": spoken.completion.refusal, "reasoning_content": spoken.reasoning}
    return {name: text for name, text in asides.items() if text}


async def _events(
    head: dict[str, Any], spoken: Spoken, *, with_usage: bool
) -> AsyncIterator[bytes]:
    head = {**head, "object": "chat.completion.chunk"}
    deltas = _deltas(spoken)
    for delta in deltas:
        await asyncio.sleep(spoken.delay_s / len(deltas))
        yield _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    end = {"index": 0, "delta": {}, "finish_reason": spoken.completion.finish.value}
    yield _event({**head, "choices": [end]})
    if with_usage:
        yield _event({**head, "choices": [], "usage": _usage(spoken.completion)})
    yield b"data: [DONE]\n\n"


def _deltas(spoken: Spoken) -> list[dict[str, Any]]:
    """Text and arguments in pieces, as a model that thinks would send them."""
    message = spoken.completion.message
    deltas: list[dict[str, Any]] = [
        {name: piece} for name, text in _asides(spoken).items() for piece in _pieces(text)
    ]
    deltas.append({"role": "assistant", "content": message.content})
    for index, call in enumerate(message.tool_calls):
        opening = {"name": call.name, "arguments": ""}
        first = {"index": index, "id": call.id, "type": "function", "function": opening}
        deltas.append({"tool_calls": [first]})
        for piece in _pieces(call.arguments):
            more = {"index": index, "function": {"arguments": piece}}
            deltas.append({"tool_calls": [more]})
    return deltas


def _pieces(text: str) -> list[str]:
    return [text[start : start + PIECE_CHARS] for start in range(0, len(text), PIECE_CHARS)]


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
