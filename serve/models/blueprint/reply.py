"""What blueprint says in one completion: text, or tool calls."""

from __future__ import annotations

import json
from dataclasses import dataclass

from fleet.domain.chat import FinishReason


@dataclass(frozen=True)
class Call:
    """`raw` is sent instead of the arguments where they are malformed; `id` where it is odd."""

    name: str
    arguments: dict[str, object]
    raw: str | None = None
    id: str | None = None

    @property
    def text(self) -> str:
        if self.raw is not None:
            return self.raw
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True)
class Reply:
    """`finish` None is what follows from the calls; `delay_s` is how long the answer takes."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    finish: FinishReason | None = None
    refusal: str = ""
    reasoning: str = ""
    delay_s: float = 0.0
