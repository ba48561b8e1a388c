"""How a weak model sends its calls: the work is right, its shape on the wire is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from fleet.domain.chat import FinishReason
from serve.models.blueprint.conversation import text_of
from serve.models.blueprint.fault import Fault
from serve.models.blueprint.producer import Work
from serve.models.blueprint.reply import Call, Reply
from serve.models.blueprint.scene import Scene

Form = Callable[[Scene, Work, Reply], Reply]

BIG_CHARS = 1_000  # a text below this fits into any answer
SAME_ID = "call_1"
_CONTINUED = "// the rest follows\n"


def one_by_one(scene: Scene, work: Work, reply: Reply) -> Reply:
    return replace(reply, calls=reply.calls[:1])


def parallel(scene: Scene, work: Work, reply: Reply) -> Reply:
    """All at once, the claim included, and every call with the same id."""
    if not reply.calls:
        return reply
    calls = (*work.todo, work.claim()) if reply.calls[0] in work.todo else reply.calls
    return replace(reply, calls=tuple(replace(call, id=SAME_ID) for call in calls))


def wrong_types(scene: Scene, work: Work, reply: Reply) -> Reply:
    """Lines for a text and an object for a path, at first."""
    if scene.turn > 0 or not reply.calls:
        return reply
    return replace(reply, calls=tuple(_mistyped(call) for call in reply.calls))


def _mistyped(call: Call) -> Call:
    wrong: dict[str, object] = {}
    for name, value in call.arguments.items():
        text = text_of(value)
        wrong[name] = {"name": text} if name == "path" else text.splitlines()
    return replace(call, arguments=wrong)


def truncated_json(scene: Scene, work: Work, reply: Reply) -> Reply:
    """Its first big write ends in mid-call; from then on it sends a piece at a time."""
    if not reply.calls:
        return reply
    if scene.turn == 0:
        big = max(reply.calls, key=lambda call: len(call.text))
        cut = replace(big, raw=big.text[: len(big.text) * 2 // 3])
        return Reply(text=reply.text, calls=(cut,), finish=FinishReason.LENGTH)
    return replace(reply, calls=(_piece(scene, reply.calls[0]),))


def _piece(scene: Scene, call: Call) -> Call:
    """A big TypeScript file in two calls: its first half, then the rest in place of a mark."""
    path, content = text_of(call.arguments.get("path")), text_of(call.arguments.get("content"))
    if call.name != "write_file" or len(content) < BIG_CHARS or not path.endswith((".ts", ".tsx")):
        return call
    lines = content.splitlines(keepends=True)
    middle = len(lines) // 2
    first, rest = "".join(lines[:middle]), "".join(lines[middle:])
    if scene.known.is_so(path, first + _CONTINUED):
        return Call("edit_file", {"path": path, "old": _CONTINUED, "new": rest})
    return Call("write_file", {"path": path, "content": first + _CONTINUED})


def raw_tool_call(scene: Scene, work: Work, reply: Reply) -> Reply:
    return raw(reply, fenced=scene.turn % 2 == 1)


def raw(reply: Reply, *, fenced: bool) -> Reply:
    """The calls as text, the way of two families of models."""
    if not reply.calls:
        return reply
    parts = [reply.text] if reply.text else []
    for call in reply.calls:
        said = json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
        parts.append(f"```json\n{said}\n```" if fenced else f"<tool_call>\n{said}\n</tool_call>")
    return replace(reply, text="\n\n".join(parts), calls=(), finish=FinishReason.STOP)


FORMS: dict[Fault, Form] = {
    Fault.PARALLEL: parallel,
    Fault.ONE_BY_ONE: one_by_one,
    Fault.WRONG_TYPES: wrong_types,
    Fault.TRUNCATED_JSON: truncated_json,
    Fault.RAW_TOOL_CALL: raw_tool_call,
}
