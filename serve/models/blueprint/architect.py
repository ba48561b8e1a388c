"""The architect's turn: a request in, a `submit_plan` call out."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from pydantic import ValidationError

from fleet.domain.chat import ChatMessage, Role
from serve.models.blueprint.app_model import NOTES_PATH, AppModel, Change
from serve.models.blueprint.change import derive_change, first_change
from serve.models.blueprint.conversation import answered, find_object, last_block, text_of
from serve.models.blueprint.derive import build_entities, derive
from serve.models.blueprint.fault import NEEDS_TABLES, Behaviour, Fault
from serve.models.blueprint.grammar import Draft
from serve.models.blueprint.misbehaviour import mistake_of
from serve.models.blueprint.misbehaviour.form import raw
from serve.models.blueprint.plan import make_plan
from serve.models.blueprint.reply import Call, Reply
from serve.models.blueprint.words import snake

_MIGRATION = re.compile(r"(?:^|/)db/migrations/(\d{4})_[\w-]+\.sql$")


def architect_turn(messages: tuple[ChatMessage, ...], behaviour: Behaviour) -> Reply:
    reply = _plan(messages, behaviour)
    turn = sum(m.role is Role.ASSISTANT for m in messages)
    reply = replace(reply, delay_s=behaviour.delay_s)
    return raw(reply, fenced=turn % 2 == 1) if behaviour.has(Fault.RAW_TOOL_CALL) else reply


def _plan(messages: tuple[ChatMessage, ...], behaviour: Behaviour) -> Reply:
    found = last_block(messages, "request")
    if found is None:
        return Reply(text="There is no `json appfleet:request` block to plan from.")
    start, request = found
    files = [f for f in _paths(request.get("files"))]
    previous: AppModel | None = None
    if NOTES_PATH in files:
        reads = [
            a
            for a in answered(messages[start:])
            if a.call.name == "read_file" and a.arguments.get("path") == NOTES_PATH
        ]
        if not reads:
            return Reply(calls=(Call("read_file", {"path": NOTES_PATH}),))
        previous = _model_from(reads[-1].result)
    message = text_of(request.get("message"))
    change = _change(message, previous, files, mistake_of(behaviour, message))
    narrow = behaviour.has(Fault.SCOPE_ESCAPE) or behaviour.seed is not None
    plan = json.loads(make_plan(change, narrow=narrow).model_dump_json())
    return Reply(calls=(Call("submit_plan", plan),))


def _change(message: str, previous: AppModel | None, files: list[str], fault: Fault) -> Change:
    number = 1 + max((int(m[1]) for f in files if (m := _MIGRATION.search(f))), default=0)
    if previous is None:
        return first_change(_with_tables(derive(message), fault), number)
    found = derive_change(message, previous)
    path = f"db/migrations/{number:04d}_{_name(found.notes)}.sql" if found.operations else ""
    return Change(
        model=found.model,
        previous=previous,
        operations=found.operations,
        migration=path,
        notes=found.notes,
        remarks=found.remarks,
        understood=bool(found.notes),
    )


def _with_tables(model: AppModel, fault: Fault) -> AppModel:
    """A fault of the server side needs something there to be wrong about."""
    if model.entities or fault not in NEEDS_TABLES:
        return model
    return model.model_copy(update={"entities": build_entities([Draft("note")], [])})


def _name(notes: tuple[str, ...]) -> str:
    return snake(notes[0] if notes else "change")[:40].rstrip("_") or "change"


def _model_from(result: str) -> AppModel | None:
    try:
        return AppModel.model_validate(find_object(result))
    except ValidationError:
        return None


def _paths(value: object) -> list[str]:
    """File lists come as paths or as objects with a path."""
    if not isinstance(value, list):
        return []
    return [text_of(v.get("path")) if isinstance(v, dict) else text_of(v) for v in value]
