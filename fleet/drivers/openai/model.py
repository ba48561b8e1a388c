"""`ChatModel` over the OpenAI chat-completions protocol, to any base URL.

Streams with tools and usage. The vendor's own retries are off: this module retries, because only
it can also retry a stream that was cut off after the response had begun.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, cast

import httpx2
import openai
from openai import AsyncOpenAI

from fleet.domain.chat import Completion, CompletionRequest
from fleet.drivers.openai.dialect import REFUSED, Dialect, adapted, says_no_tools
from fleet.drivers.openai.stream import CutOff, StreamReader
from fleet.drivers.openai.wire import wire_messages, wire_tool_choice, wire_tools
from fleet.errors import ModelError
from fleet.ports import OnText

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

MAX_BACKOFF_S = 30.0
MAX_RETRY_AFTER_S = 60.0
WHOLE_ANSWER_FACTOR = 10  # one completion may take this many times the allowed silence
RETRYABLE_STATUS = frozenset({408, 409, 425, 429})


class Retry(Exception):
    """One attempt failed in a way that asking again may mend."""

    def __init__(self, reason: str, action: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.action = action
        self.retry_after_s = retry_after_s


class OpenAIChatModel:
    """`timeout_s` bounds every silence (connecting, first chunk, between two chunks).

    A retried completion starts its text again: `on_text` then sees the beginning twice.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        timeout_s: float = 120.0,
        max_retries: int = 4,
        backoff_s: float = 0.5,
    ) -> None:
        self._endpoint = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._backoff_s = backoff_s
        self._dialects: dict[str, Dialect] = {}  # by model: one endpoint may serve several
        self._client = AsyncOpenAI(
            base_url=self._endpoint,
            api_key=api_key or "none",
            timeout=timeout_s,
            max_retries=0,
        )

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        """One completion. Raises `ModelError` after bounded retries."""
        for attempt in range(self._max_retries + 1):
            try:
                return await self._attempt(request, on_text)
            except Retry as failure:
                if attempt == self._max_retries:
                    tries = f"{attempt + 1} attempt{'s' if attempt else ''}"
                    raise ModelError(
                        f"Model endpoint {self._endpoint} {failure.reason} ({tries}).",
                        action=failure.action,
                    ) from failure
                await asyncio.sleep(self._pause_s(attempt, failure.retry_after_s))
        raise AssertionError("unreachable: the loop returns or raises")

    async def close(self) -> None:
        await self._client.close()

    def _pause_s(self, attempt: int, retry_after_s: float | None) -> float:
        # Full jitter on the upper half, so that many builds do not come back at one instant.
        backoff = min(MAX_BACKOFF_S, self._backoff_s * 2.0**attempt) * random.uniform(0.5, 1.0)
        return max(backoff, min(retry_after_s or 0.0, MAX_RETRY_AFTER_S))

    async def _attempt(self, request: CompletionRequest, on_text: OnText | None) -> Completion:
        """One answer; asked again at once, in its own dialect, where the endpoint says which."""
        while True:
            dialect = self._dialects.get(request.model, Dialect())
            try:
                return await self._once(request, on_text)
            except openai.APIStatusError as error:
                learned = adapted(dialect, error.status_code, _said(error))
                if learned is None:
                    raise self._by_status(request, error) from error
                # Each adaptation is made once, so this ends.
                self._dialects[request.model] = learned

    async def _once(self, request: CompletionRequest, on_text: OnText | None) -> Completion:
        """Raises the vendor's APIStatusError as it is; everything else as a Retry."""
        slow = "Raise APPFLEET_MODEL_TIMEOUT_S, or look at the endpoint's load."
        check = "Check APPFLEET_MODEL_BASE_URL and that the server is up."
        try:
            return await self._stream(request, on_text)
        except (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException) as error:
            raise Retry(f"sent nothing for {self._timeout_s:g} s", slow) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise Retry(f"could not be reached ({cause})", check) from error
        except openai.APIStatusError:
            raise
        except CutOff as error:
            raise Retry(f"ended its answer early: {error}", check) from error
        except httpx2.TransportError as error:
            raise Retry(f"cut its answer off ({error})", check) from error
        except openai.APIError as error:
            raise Retry(f"reported an error in mid-answer: {error.message}", check) from error
        except ValueError as error:  # a chunk that is not JSON, or not UTF-8
            raise Retry(f"sent a chunk that is not JSON ({error})", check) from error

    async def _stream(self, request: CompletionRequest, on_text: OnText | None) -> Completion:
        loop = asyncio.get_running_loop()
        reader = StreamReader(request, on_text)
        async with (
            asyncio.timeout(self._timeout_s * WHOLE_ANSWER_FACTOR),
            asyncio.timeout(self._timeout_s) as silence,
        ):
            stream = await self._open(request)
            async for chunk in stream:
                silence.reschedule(loop.time() + self._timeout_s)
                reader.feed(chunk)
        return reader.completion()

    async def _open(self, request: CompletionRequest) -> AsyncIterator[ChatCompletionChunk]:
        dialect = self._dialects.get(request.model, Dialect())
        length = "max_completion_tokens" if dialect.named_length else "max_tokens"
        body: dict[str, object] = {
            "model": request.model,
            "messages": wire_messages(request.messages, alternating=dialect.alternating),
            length: request.max_tokens,
            "stream": True,
        }
        if dialect.temperature:
            body["temperature"] = request.temperature
        if dialect.stream_options:
            body["stream_options"] = {"include_usage": True}
        if request.tools:
            body["tools"] = wire_tools(request.tools)
            if dialect.tool_choice:
                body["tool_choice"] = wire_tool_choice(request.tool_choice)
        # The vendor's overloads want literal types for what this module builds from data.
        create = cast("_Create", self._client.chat.completions.create)
        return await create(**body)

    def _by_status(
        self, request: CompletionRequest, error: openai.APIStatusError
    ) -> Retry | ModelError:
        status = error.status_code
        said = f"answered HTTP {status}: {_said(error)}"
        if status in RETRYABLE_STATUS or status >= 500:
            action = (
                "It limits the rate: wait, or raise its limits."
                if status == 429
                else "Look at the endpoint's own log."
            )
            return Retry(said, action, _retry_after_s(error.response.headers.get("retry-after")))
        if request.tools and status in REFUSED and says_no_tools(_said(error)):
            return ModelError(
                f"The model {request.model!r} at {self._endpoint} takes no tools: {_said(error)}",
                action="appfleet works by tool calls: name a model that supports them in "
                "APPFLEET_CODING_MODEL and APPFLEET_PLANNING_MODEL, or switch tool calling on in "
                "its server (vLLM: --enable-auto-tool-choice --tool-call-parser …; llama.cpp: "
                "--jinja).",
                retryable=False,
            )
        actions = {
            401: "Check APPFLEET_MODEL_API_KEY.",
            403: "Check what APPFLEET_MODEL_API_KEY may use.",
            404: f"Check that it serves the model {request.model!r}, and the base URL.",
        }
        return ModelError(
            f"Model endpoint {self._endpoint} {said}.",
            action=actions.get(status, "Asking again will not help: the request was refused."),
            retryable=False,
        )


if TYPE_CHECKING:
    from typing import Protocol

    class _Create(Protocol):
        async def __call__(self, **body: object) -> AsyncIterator[ChatCompletionChunk]: ...


def _said(error: openai.APIStatusError) -> str:
    """The endpoint's own words, bounded: a proxy may answer with a whole page."""
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("message"), str):
        return str(body["message"])[:400]
    return " ".join(error.message.split())[:400]


def _retry_after_s(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or an HTTP date."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
