"""What the architect hands to the producer: tasks, and the contract the gate will hold it to."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import Field, JsonValue, field_validator, model_validator

from fleet.domain.frozen import Frozen

PROCEDURE_NAME = re.compile(r"[a-zA-Z_$][\w$]*(\.[a-zA-Z_$][\w$]*)*")
TABLE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class ProcedureKind(StrEnum):
    QUERY = "query"
    MUTATION = "mutation"


class Procedure(Frozen):
    """`name` is the dotted tRPC path ("customers.create"); `example_input` is literal JSON."""

    name: str
    kind: ProcedureKind
    example_input: JsonValue = None

    @field_validator("name")
    @classmethod
    def _dotted(cls, value: str) -> str:
        if PROCEDURE_NAME.fullmatch(value) is None:
            raise ValueError(f"{value!r} is not a dotted tRPC path like 'customers.create'")
        return value


class Contract(Frozen):
    """Pages are paths in the browser ("/", "/customers"). Tables live in schema `public`.

    Probes run in the order of `procedures`, so a `create` stands before the `get` of its row.
    `columns` names columns that a declared table must have; a table may be left out of it.
    """

    procedures: tuple[Procedure, ...] = ()
    tables: tuple[str, ...] = ()
    columns: dict[str, tuple[str, ...]] = {}
    pages: tuple[str, ...] = ("/",)

    @field_validator("tables")
    @classmethod
    def _plain_tables(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if TABLE_NAME.fullmatch(name) is None:
                raise ValueError(f"table {name!r} must be lower_snake_case, at most 63 characters")
        return value

    @field_validator("pages")
    @classmethod
    def _absolute_pages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for path in value:
            if not path.startswith("/"):
                raise ValueError(f"page {path!r} must start with '/'")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Contract:
        undeclared = sorted(set(self.columns) - set(self.tables))
        if undeclared:
            raise ValueError(f"columns of tables that are not declared: {', '.join(undeclared)}")
        for kind, names in (
            ("procedure", [p.name for p in self.procedures]),
            ("table", list(self.tables)),
            ("page", list(self.pages)),
        ):
            doubles = sorted({n for n in names if names.count(n) > 1})
            if doubles:
                raise ValueError(f"{kind} declared twice: {', '.join(doubles)}")
        return self


class ServiceUse(Frozen):
    """A catalog service and how the app integrates it."""

    kind: str
    integration: str = ""


class PlannedTask(Frozen):
    """`scope` holds glob patterns of the files the task may write ("src/**", "db/migrations/*")."""

    title: str = Field(min_length=1, max_length=200)
    instructions: str = Field(min_length=1, max_length=20_000)
    scope: tuple[str, ...] = ("**",)
    acceptance: tuple[str, ...] = ()


class Plan(Frozen):
    """`contract` is the whole app's after this build, not only what the build adds.

    `design` is the architect's own notes (data model, screens), handed on word for word.
    """

    title: str = Field(min_length=1, max_length=80)
    summary: str = Field(max_length=2_000)
    services: tuple[ServiceUse, ...] = ()
    tasks: tuple[PlannedTask, ...] = Field(min_length=1, max_length=20)
    contract: Contract
    design: str = Field(default="", max_length=60_000)
