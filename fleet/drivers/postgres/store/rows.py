"""Rows to frozen values, and documents to JSON text (ASCII, so that every character survives)."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, JsonValue, TypeAdapter

from fleet.domain.build import Build, Step
from fleet.domain.chat import ChatMessage, Usage
from fleet.domain.event import Event
from fleet.domain.plan import Plan
from fleet.domain.project import Project, Spec
from fleet.domain.verdict import Verdict
from fleet.ports import RecordedVerdict

Row = dict[str, Any]
_MESSAGES = TypeAdapter(tuple[ChatMessage, ...])


def document(value: BaseModel) -> str:
    """Without computed fields, so that it validates again."""
    return value.model_dump_json(round_trip=True)


def mapping(value: dict[str, JsonValue] | dict[str, str | None]) -> str:
    return json.dumps(value)


def messages(value: tuple[ChatMessage, ...]) -> str:
    return _MESSAGES.dump_json(value).decode()


def project_of(row: Row) -> Project:
    return Project(**{**row, "spec": Spec.model_validate_json(row["spec"])})


def build_of(row: Row) -> Build:
    tokens = {name: row[name] for name in Usage.model_fields}
    rest = {name: value for name, value in row.items() if name not in tokens}
    plan = None if row["plan"] is None else Plan.model_validate_json(row["plan"])
    return Build(**{**rest, "plan": plan, "usage": Usage(**tokens)})


def step_of(row: Row) -> Step:
    return Step(
        **{
            **row,
            "messages": _MESSAGES.validate_json(row["messages"]),
            "writes": json.loads(row["writes"]),
            "facts": json.loads(row["facts"]),
            "usage": Usage.model_validate_json(row["usage"]),
        }
    )


def event_of(row: Row) -> Event:
    return Event(**{**row, "payload": json.loads(row["payload"])})


def verdict_of(row: Row) -> RecordedVerdict:
    return RecordedVerdict(**{**row, "verdict": Verdict.model_validate_json(row["verdict"])})
