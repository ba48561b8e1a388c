"""Rules for what models get wrong, so that any of them keeps a coherent loop. Pure.

One rule per kind of mistake, each with a stable word (`Problem`) that the step records. A rule
either mends what has one meaning only, or tells the model what was wrong and what to do. What the
history says of the answer is always valid: calls have unique ids, known forms of names, and JSON
objects as arguments.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import JsonValue

from fleet.domain.chat import ChatMessage, Completion, FinishReason, Role, ToolCall, ToolSchema
from fleet.generation.arguments import Unreadable, fit, parse_arguments
from fleet.generation.salvage import RawCall, read_text

MAX_CALLS = 64
MAX_TOKENS = 16_000
MIN_TOKENS = 2_000
MAX_SHOWN_ARGUMENTS = 400
MAX_REFUSAL_CHARS = 1_500
MAX_QUOTED = 400
MALFORMED_KEY = "malformed_arguments"

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REFUSES = re.compile(
    r"\W{0,5}(?:(?:i'?m|i am|we'?re|we are)\s+(?:very |so |really )?"
    r"(?:sorry|afraid|unable|not able)"
    r"|sorry,? (?:but )?i|unfortunately,? i (?:can|am)|my apologies"
    r"|i (?:can'?t|can ?not|won'?t|will not|must decline|have to decline|decline)\b"
    r"|as an ai\b)[^\n]{0,200}?"
    r"(?:can'?t|can ?not|won'?t|will not|unable|not able|decline|refuse|not comfortable)",
    re.I,
)
_SHORT_REFUSAL = re.compile(
    r"\W{0,5}i (?:can'?t|can ?not|won'?t|will not|must decline to|decline to) "
    r"(?:help|assist|do|comply|continue|create|provide|support|fulfil+|take part)\b",
    re.I,
)


class Problem(StrEnum):
    """In the order of gravity: of several in one answer the last is recorded."""

    NONE = ""
    RAW_CALL = "raw_call"  # called in the text of the answer
    WRONG_TYPES = "wrong_types"
    TOO_MANY_CALLS = "too_many_calls"
    BAD_JSON = "bad_json"
    UNKNOWN_TOOL = "unknown_tool"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    REASONING = "reasoning"  # thought to its end without an answer
    REFUSAL = "refusal"


_GRAVITY = list(Problem)
WITHHELD = "[the answer was withheld by the model's content filter]"
NOTHING = "[no answer]"
ONLY_THOUGHT = "[thought, and gave no answer]"
CUT_OFF = "[cut off: the answer was too long]"
ADVICE = {
    Problem.EMPTY: "Your answer was empty. Answer with a tool call.",
    Problem.REASONING: "You thought until the end of your answer and gave none. Think briefly, "
    "then answer with one tool call; a small first step is enough.",
    Problem.TRUNCATED: "Your answer was cut off because it was too long. Text has no effect: "
    "answer with tool calls, and write smaller files.",
    Problem.REFUSAL: "Nothing was done. The task is to program an ordinary web application inside "
    "a sandbox, by tool calls. Go on with it; leave out only what you must not write.",
}


@dataclass(frozen=True)
class Call:
    """`call` is what the history holds; `told` is said instead of running it, "" to run it."""

    call: ToolCall
    told: str = ""


@dataclass(frozen=True)
class Reading:
    """What to make of a completion.

    `advice` goes to a model that called nothing; `ends` says why asking again is of no use.
    """

    content: str
    calls: tuple[Call, ...] = ()
    problem: Problem = Problem.NONE
    advice: str = ""
    ends: str = ""


@dataclass(frozen=True)
class Asking:
    """How to ask next: after an answer that was only thinking, shorter and for a call."""

    tool_choice: str
    max_tokens: int


def asking(conversation: Sequence[ChatMessage], tool_choice: str) -> Asking:
    said = _last_advice(conversation)
    again = sum(ADVICE[Problem.REASONING] in m.content for m in _asked(conversation))
    tokens = MAX_TOKENS
    if Problem.REASONING in said:
        tokens = max(MIN_TOKENS, MAX_TOKENS >> min(again, 3))
    if tool_choice == "auto" and said & {Problem.REASONING, Problem.EMPTY}:
        tool_choice = "required"
    return Asking(tool_choice, tokens)


def read_completion(
    completion: Completion, tools: Sequence[ToolSchema], conversation: Sequence[ChatMessage]
) -> Reading:
    """The rules, applied to one completion that answers `conversation`."""
    return _Rules(tools, conversation).read(completion)


def legible(text: str) -> str:
    """JSON in Postgres takes neither NUL nor a lone surrogate; a model may send both."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


@dataclass
class _Rules:
    tools: Sequence[ToolSchema]
    conversation: Sequence[ChatMessage]
    problem: Problem = Problem.NONE
    ids: set[str] = field(default_factory=set)

    def read(self, completion: Completion) -> Reading:
        message = completion.message
        self.ids = {c.id for m in self.conversation for c in m.tool_calls}
        sent = message.tool_calls
        text = read_text(legible(message.content), self._known, salvage=not sent)
        raw = [RawCall(c.name, c.arguments) for c in sent] or list(text.calls)
        if not raw:
            return self._without_calls(completion, text.said, text.unknown, text.thought)
        if not sent:
            self._note(Problem.RAW_CALL)
        cut = completion.finish is FinishReason.LENGTH
        calls = tuple(
            self._call(one, sent[index].id if sent else "", index, cut and index == len(raw) - 1)
            for index, one in enumerate(raw)
        )
        return Reading(text.said, calls, self.problem)

    def _note(self, problem: Problem) -> None:
        self.problem = max(self.problem, problem, key=_GRAVITY.index)

    def _call(self, raw: RawCall, call_id: str, index: int, last_of_cut: bool) -> Call:
        name, arguments = self._known(raw.name), parse_arguments(raw.arguments)
        schema = next((t for t in self.tools if t.name == name), None)
        shown = _shown(raw.arguments) if isinstance(arguments, Unreadable) else raw.arguments
        told = ""
        if index >= MAX_CALLS:
            self._note(Problem.TOO_MANY_CALLS)
            told = f"Error: not run; one answer holds at most {MAX_CALLS} calls."
        elif raw.cut or arguments is Unreadable.CUT or (last_of_cut and not raw.arguments.strip()):
            self._note(Problem.TRUNCATED)
            told = (
                f"Error: {raw.name[:64]} was not run: its arguments were cut off. Split the work: "
                "write smaller files, one call each, and make long ones by several edits."
            )
        elif schema is None:
            self._note(Problem.UNKNOWN_TOOL)
            told = self._no_tool(raw.name)
        elif isinstance(arguments, Unreadable):
            self._note(Problem.BAD_JSON)
            told = (
                f"Error: {schema.name} was not run: its arguments are not a JSON object. Send the "
                'whole call again, with quotes and line breaks in texts escaped (\\", \\n).'
            )
        else:
            if name != raw.name:
                self._note(Problem.UNKNOWN_TOOL)
            fitted = fit(arguments, schema.parameters)
            if fitted != arguments:
                self._note(Problem.WRONG_TYPES)
            shown = _written(fitted, raw.arguments)
        if told and not isinstance(arguments, Unreadable):
            shown = _written(arguments, raw.arguments)
        proper = name or _safe_name(raw.name)
        return Call(
            ToolCall(id=self._unique(call_id, index), name=proper, arguments=legible(shown)), told
        )

    def _known(self, name: str) -> str | None:
        """The tool that a name means: "functions.write_file" and "writeFile" have one meaning."""
        names = {t.name for t in self.tools}
        if name in names:
            return name
        bare = re.split(r"<\||[\s({\[]", name.strip())[0]
        for candidate in (bare, re.split(r"[.:/]", bare)[-1]):
            same = [n for n in names if _squeezed(n) == _squeezed(candidate)]
            if candidate and len(same) == 1:
                return same[0]
        return None

    def _no_tool(self, name: str) -> str:
        names = [t.name for t in self.tools]
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        nearest = f" Did you mean {close[0]}?" if close else ""
        listed = ", ".join(names)
        return f"Error: There is no tool {legible(name)[:80]!r}.{nearest} Use one of: {listed}."

    def _unique(self, call_id: str, index: int) -> str:
        """Ids are told apart over the whole conversation; Mistral takes just nine characters."""
        made = call_id
        turn = len(self.conversation)
        while not _CALL_ID.fullmatch(made) or made in self.ids:
            made = f"c{turn % 100_000:05d}{index % 1_000:03d}"
            turn += 1
        self.ids.add(made)
        return made

    def _without_calls(
        self, completion: Completion, said: str, unknown: Sequence[str], thought: bool
    ) -> Reading:
        words = legible(completion.refusal.strip()) or said
        if _is_refusal(completion, said):
            return self._refused(words)
        if unknown:
            return Reading(said, (), Problem.UNKNOWN_TOOL, self._no_tool(unknown[0]))
        if not said and (thought or completion.reasoning_chars):
            return self._advised(ONLY_THOUGHT, Problem.REASONING)
        if completion.finish is FinishReason.LENGTH:
            return self._advised(f"{said}\n{CUT_OFF}".strip(), Problem.TRUNCATED)
        if not said:
            return self._advised(NOTHING, Problem.EMPTY)
        return Reading(said)

    def _refused(self, words: str) -> Reading:
        again = Problem.REFUSAL in _last_advice(self.conversation)
        quoted = words or WITHHELD
        ends = f"the model refuses it: “{quoted[:MAX_QUOTED]}”" if again else ""
        return Reading(quoted, (), Problem.REFUSAL, ADVICE[Problem.REFUSAL], ends)

    def _advised(self, content: str, problem: Problem) -> Reading:
        return Reading(content, (), problem, ADVICE[problem])


def _is_refusal(completion: Completion, said: str) -> bool:
    if completion.refusal.strip() or completion.finish is FinishReason.CONTENT_FILTER:
        return True
    plain = said.replace("\u2019", "'")
    short = len(plain) <= MAX_REFUSAL_CHARS
    return short and bool(_REFUSES.match(plain) or _SHORT_REFUSAL.match(plain))


def _asked(conversation: Sequence[ChatMessage]) -> list[ChatMessage]:
    """What the last answers without any call were told, the newest first."""
    asked = []
    for message in reversed(conversation):
        if message.tool_calls or message.role in (Role.TOOL, Role.SYSTEM):
            break
        if message.role is Role.USER:
            asked.append(message)
    return asked


def _last_advice(conversation: Sequence[ChatMessage]) -> set[Problem]:
    """Which advice the user's last words hold: they are all that stands after the last answer."""
    given: set[Problem] = set()
    for message in reversed(conversation):
        if message.role is not Role.USER:
            break
        given |= {problem for problem, advice in ADVICE.items() if advice in message.content}
    return given


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _safe_name(name: str) -> str:
    safe = re.sub(r"[^a-zA-Z0-9_-]+", "_", name.strip())[:64].strip("_")
    return safe if _NAME.fullmatch(safe) else "unnamed_tool"


def _shown(arguments: str) -> str:
    """What the history keeps of arguments that were not used: enough to know them by."""
    return json.dumps({MALFORMED_KEY: legible(arguments)[:MAX_SHOWN_ARGUMENTS]})


def _written(fitted: dict[str, JsonValue], sent: str) -> str:
    """The model's own text where it says just that, so that the history is what it wrote."""
    try:
        if json.loads(sent) == fitted:
            return sent
    except ValueError:
        pass  # it was mended: written anew
    return json.dumps(fitted, ensure_ascii=False)
