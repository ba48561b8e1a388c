"""A chat-completions server as strict as any: it refuses a history that some real one refuses.

`violations` is the union of what OpenAI, vLLM, Mistral, Anthropic's and llama.cpp's endpoints and
the chat templates behind them answer HTTP 400 to. What it says comes from a script, chunk by chunk.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ROLES = {"system", "user", "assistant", "tool"}

# Given the request's body and how often it was asked, the deltas to stream and the finish reason.
Said = tuple[list[dict[str, Any]], str]
Script = Callable[[dict[str, Any], int], Said]


class StrictServer:
    """`alternating`: as Mistral's, which takes no user directly after a tool's result."""

    def __init__(self, script: Script, *, alternating: bool = False) -> None:
        self._script = script
        self._alternating = alternating
        self.bodies: list[dict[str, Any]] = []
        self.refusals: list[str] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> StrictServer:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        wrong = violations(body, alternating=self._alternating)
        if wrong:
            self.refusals.append(wrong[0])
            return web.json_response({"error": {"message": wrong[0]}}, status=400)
        self.bodies.append(body)
        deltas, finish = self._script(body, len(self.bodies))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for delta in deltas:
            await response.write(_event({"delta": delta, "finish_reason": None}))
        await response.write(_event({"delta": {}, "finish_reason": finish}))
        await response.write(b"data: [DONE]\n\n")
        return response


def _event(choice: dict[str, Any]) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {json.dumps({**chunk, 'choices': [{'index': 0, **choice}]})}\n\n".encode()


def violations(body: dict[str, Any], *, alternating: bool = False) -> list[str]:
    messages = body["messages"]
    wrong = [f"messages: unknown role {m['role']}" for m in messages if m["role"] not in _ROLES]
    wrong += _texts(messages) + _calls(messages) + _order(messages, alternating)
    for tool in body.get("tools", ()):
        if not _NAME.fullmatch(tool["function"]["name"]):
            wrong.append("tools: a name does not match ^[a-zA-Z0-9_-]{1,64}$")
        if tool["function"]["parameters"].get("type") != "object":
            wrong.append("tools: parameters must be an object schema")
    if "tool_choice" in body and not body.get("tools"):
        wrong.append("tool_choice without tools")
    return wrong


def _texts(messages: list[dict[str, Any]]) -> list[str]:
    wrong = []
    for message in messages:
        content = message.get("content")
        if not isinstance(content, str):
            wrong.append(f"{message['role']}: content must be a string, is {content!r}")
        elif not content.strip() and not message.get("tool_calls"):
            wrong.append(f"{message['role']}: content must not be empty")
        whole = json.dumps(message, ensure_ascii=False)
        if "\0" in whole or "\\u0000" in whole or re.search("[\ud800-\udfff]", whole):
            wrong.append("a text holds NUL or half a surrogate pair")
    return wrong


def _calls(messages: list[dict[str, Any]]) -> list[str]:
    wrong: list[str] = []
    ids: set[str] = set()
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                wrong.append(f"tool: no call awaits {message.get('tool_call_id')!r}")
            else:
                waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            wrong.append(f"assistant: calls without a result: {waiting}")
            waiting = []
        calls = message.get("tool_calls")
        if calls is not None and (not calls or message["role"] != "assistant"):
            wrong.append("tool_calls must not be empty, and only an assistant has them")
        for call in calls or ():
            if not call["id"] or call["id"] in ids:
                wrong.append(f"tool call id {call['id']!r} is empty or used twice")
            ids.add(call["id"])
            waiting.append(call["id"])
            if not _NAME.fullmatch(call["function"]["name"]):
                wrong.append(f"function name {call['function']['name']!r} is not allowed")
            wrong += _arguments(call["function"]["arguments"])
    return wrong + ([f"assistant: calls without a result: {waiting}"] if waiting else [])


def _arguments(text: object) -> list[str]:
    try:
        value = json.loads(str(text))
    except ValueError:
        return ["function arguments are not JSON"]
    return [] if isinstance(value, dict) else ["function arguments are not an object"]


def _order(messages: list[dict[str, Any]], alternating: bool) -> list[str]:
    wrong = []
    roles = [m["role"] for m in messages]
    if "system" in roles[1:]:
        wrong.append("System message must be at the beginning.")
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    if spoken[:1] != ["user"]:
        wrong.append("the first message after the system's must be the user's")
    for before, now in itertools.pairwise(spoken):
        if before == now and now in ("user", "assistant"):
            wrong.append(f"Conversation roles must alternate: two of {now}")
        if alternating and (before, now) == ("tool", "user"):
            wrong.append("Unexpected role 'user' after role 'tool'")
    if roles[-1:] == ["assistant"]:
        wrong.append("Expected last role User or Tool for serving but got assistant")
    return wrong
