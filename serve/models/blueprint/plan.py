"""App model -> the architect's plan with its contract."""

from __future__ import annotations

from fleet.domain.plan import (
    Contract,
    Plan,
    PlannedTask,
    Procedure,
    ProcedureKind,
    ServiceUse,
)
from serve.models.blueprint.app_model import AppModel, Change, Entity, FieldKind, Widget
from serve.models.blueprint.code_names import example_value
from serve.models.blueprint.code_sql import columns_of

DISCLAIMER = "blueprint is a deterministic program, not a language model."
ONE_TASK_ENTITIES = 3
MAX_SUMMARY = 1_900
DESIGN_MARK = "Machine-readable (blueprint): "
# All that an app of blueprint's has; a fault leaves it for a folder `docs/`.
NARROW_SCOPE = (
    "db/**",
    "server/**",
    "src/**",
    "tests/**",
    "index.html",
    "README.md",
    ".appfleet/blueprint.json",
)
PAGES_SCOPE = ("src/**", "index.html", "README.md", ".appfleet/blueprint.json")


def make_plan(change: Change, *, narrow: bool = False) -> Plan:
    """`narrow` leaves the tasks no more than they need to write."""
    model = change.model
    return Plan(
        title=model.title,
        summary=f"{_summary(change)} {DISCLAIMER}"[:2_000],
        services=_services(model),
        tasks=_tasks(change, NARROW_SCOPE if narrow else ("**",)),
        contract=contract_of(model),
        design=f"{_notes(model)}\n\n{DESIGN_MARK}{change.model_dump_json()}",
    )


def contract_of(model: AppModel) -> Contract:
    """Parents are created first; deleting comes last, children first."""
    procedures: list[Procedure] = []
    for entity in model.entities:
        values = _example(entity)
        for name, kind, example in (
            ("list", ProcedureKind.QUERY, {}),
            ("create", ProcedureKind.MUTATION, values),
            ("get", ProcedureKind.QUERY, {"id": 1}),
            ("update", ProcedureKind.MUTATION, {**values, "id": 1}),
        ):
            procedures.append(
                Procedure(name=f"{entity.key}.{name}", kind=kind, example_input=example)
            )
    for entity in reversed(model.entities):
        procedures.append(
            Procedure(
                name=f"{entity.key}.delete", kind=ProcedureKind.MUTATION, example_input={"id": 1}
            )
        )
    pages = ["/"]
    if model.widget is not Widget.NONE and model.entities:
        pages.append("/play")
    for entity in model.entities:
        pages += [entity.path, f"{entity.path}/new"]
    return Contract(
        procedures=tuple(procedures),
        tables=tuple(e.table for e in model.entities),
        columns={e.table: columns_of(e) for e in model.entities},
        pages=tuple(pages),
    )


def _example(entity: Entity) -> dict[str, str | int | bool]:
    values = {f.key: example_value(f) for f in entity.fields}
    return {k: v for k, v in values.items() if isinstance(v, str | int | bool)}


def _services(model: AppModel) -> tuple[ServiceUse, ...]:
    react = ServiceUse(
        kind="react-app", integration="Pages under src/pages, routes in src/App.tsx."
    )
    if not model.entities:
        return (react,)
    return (
        ServiceUse(kind="postgres", integration="One table per entity, by migration."),
        ServiceUse(kind="trpc-api", integration="One router per entity in server/procedures."),
        react,
    )


def _tasks(change: Change, scope: tuple[str, ...]) -> tuple[PlannedTask, ...]:
    wanted = "\n".join(f"- {note}" for note in change.notes) or f"- Build {change.model.title}."
    acceptance = ("Every declared procedure answers.", "Every page draws without an error.")
    many = change.previous is None and len(change.model.entities) > ONE_TASK_ENTITIES
    if not many:
        title = f"Build {change.model.title}" if change.previous is None else _title_of(change)
        return (
            PlannedTask(
                title=title[:200],
                instructions=f"{wanted}\n- Migration, procedures, pages, tests, menu and title."[
                    :20_000
                ],
                scope=scope,
                acceptance=acceptance,
            ),
        )
    return (
        PlannedTask(
            title="Data and API, tests, home page and menu",
            instructions=f"{wanted}\n- Migration, procedures, tests; home page, menu and title.",
            scope=scope,
            acceptance=acceptance[:1],
        ),
        PlannedTask(
            title="Pages to list, create, edit and delete",
            instructions="Lists with search and filters, forms, deletion with a question.",
            scope=PAGES_SCOPE,
            acceptance=acceptance[1:],
        ),
    )


def _title_of(change: Change) -> str:
    return " ".join(change.notes) or "Note the wish; nothing to change was recognised"


def _summary(change: Change) -> str:
    model = change.model
    if not change.understood:
        lead = "The message names no change that could be made, so nothing is changed."
        hint = 'Try "add phone to customers" or "rename stage to phase".'
        return " ".join([lead, *change.remarks, hint])[:MAX_SUMMARY]
    if change.previous is not None:
        return " ".join([*change.notes, *change.remarks])[:MAX_SUMMARY]
    if not model.entities:
        return f"{model.title}: one page in the browser, no tables."
    names = ", ".join(e.label_plural for e in model.entities)
    return f"{model.title}: {names}, each with list, search, filters, create, edit and delete."


def _notes(model: AppModel) -> str:
    lines = [f"# {model.title}"]
    for entity in model.entities:
        lines.append(f"\n## {entity.label_plural} (table {entity.table}, page {entity.path})")
        for field in entity.fields:
            more = f" -> {field.target}" if field.kind is FieldKind.REFERENCE else ""
            more += f" ({', '.join(c.label for c in field.choices)})" if field.choices else ""
            must = ", required" if field.required else ""
            lines.append(f"- {field.label}: {field.kind.value}{more}{must}")
    if model.widget is not Widget.NONE:
        lines.append(f"\nA page to play with: {model.widget.value}.")
    return "\n".join(lines)[:20_000]


def parse_design(design: str) -> Change | None:
    """The change a plan's design carries; None for a plan blueprint did not make."""
    _, mark, text = design.rpartition(DESIGN_MARK)
    return Change.model_validate_json(text) if mark else None
