"""A `ChatModel` that says what it was told to say, for tests."""

from __future__ import annotations

from collections.abc import Iterable

from fleet.domain.chat import Completion, CompletionRequest
from fleet.errors import ModelError
from fleet.ports import OnText


class ScriptedModel:
    """Answers with the given completions in order; an error in the list is raised instead.

    `requests` keeps what was asked, for assertions.
    """

    def __init__(self, script: Iterable[Completion | ModelError]) -> None:
        self._script = list(script)
        self.requests: list[CompletionRequest] = []

    async def complete(
        self, request: CompletionRequest, on_text: OnText | None = None
    ) -> Completion:
        self.requests.append(request)
        if not self._script:
            raise ModelError(
                "The script is spent.", action="Script more completions.", retryable=False
            )
        answer = self._script.pop(0)
        if isinstance(answer, ModelError):
            raise answer
        if on_text is not None and answer.message.content:
            on_text(answer.message.content)
        return answer
