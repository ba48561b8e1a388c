"""What of the protocol an endpoint turned out not to take, read from its refusals. Pure.

Each is asked for once; the answer holds for as long as the driver lives. Nothing is guessed: a
request changes only after the endpoint has said, with HTTP 400 or 422, what it will not take.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

REFUSED = frozenset({400, 422})
_ORDER = re.compile(
    r"roles? must alternate|unexpected role .?user.? after role .?tool"
    r"|expected last role|after the optional system message",
    re.I,
)
_NO_TOOLS = re.compile(
    r"(?:does ?n[o']t|do not|not) support (?:the )?(?:use of )?(?:tool|function)"
    r"|\b(?:tools?|function call(?:ing|s)?|tool use)\b(?! choice)[^.\n]{0,60}"
    r"(?:not (?:been )?(?:supported|enabled|available)|unsupported)"
    r"|enable-auto-tool-choice|requires? --?-?(?:jinja|tool-call-parser)"
    r"|unsupported[^.\n]{0,20}tools",
    re.I,
)


@dataclass(frozen=True)
class Dialect:
    """`alternating`: see `strict_history`. `named_length`: max_completion_tokens, as reasoning
    models of OpenAI want it. The others are left out of the request where they are refused."""

    alternating: bool = False
    named_length: bool = False
    tool_choice: bool = True
    temperature: bool = True
    stream_options: bool = True


def adapted(dialect: Dialect, status: int, said: str) -> Dialect | None:
    """The dialect to try after a refusal; None when the refusal is about something else."""
    if status not in REFUSED or says_no_tools(said):
        return None
    text = said.lower()
    changed = dialect
    if "max_completion_tokens" in text:
        changed = replace(dialect, named_length=True)
    elif "tool_choice" in text or "tool choice" in text:
        changed = replace(dialect, tool_choice=False)
    elif "temperature" in text:
        changed = replace(dialect, temperature=False)
    elif "stream_options" in text:
        changed = replace(dialect, stream_options=False)
    elif _ORDER.search(said):
        changed = replace(dialect, alternating=True)
    return None if changed == dialect else changed


def says_no_tools(said: str) -> bool:
    """Whether a refusal means that the model or its server knows no tools at all."""
    return _NO_TOOLS.search(said) is not None
