"""What blueprint writes, for real: it compiles and passes its tests on a real Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from catalog.catalog import scaffold_files
from fleet.domain.plan import Plan
from tests.catalog.built_app import App
from tests.unit.blueprint_driver import Build

CRM = "customers with name, email and phone; deals with amount, stage (lead, won, lost), customer"
KEYWORDS = "Orders with user, group, select and class; users with email and new"


def lay_out(files: dict[str, str], app: App) -> None:
    """Exactly these files, beside node_modules."""
    for path in [p for p in app.tree.rglob("*") if p.is_file()]:
        path.unlink()
    for name, text in files.items():
        path = app.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def assert_sound(app: App, plan: Plan) -> None:
    compiled = app.run("node_modules/.bin/tsc", "--noEmit")
    assert (compiled.stdout, compiled.returncode) == ("", 0)
    tested = app.run("node_modules/.bin/vitest", "run", "--reporter=json")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    results = json.loads(tested.stdout)["testResults"]
    passed = [
        a["fullName"] for r in results for a in r["assertionResults"] if a["status"] == "passed"
    ]
    for procedure in plan.contract.procedures:
        assert any(procedure.name in name for name in passed), procedure.name


@pytest.mark.parametrize(
    "message", ["A school", KEYWORDS, "A quiz about capitals", "Landing page for a café"]
)
def test_an_app_of_blueprint_compiles_and_passes_its_tests(
    message: str, make_app: Callable[[str], App]
) -> None:
    app = make_app("")
    build = Build(message, dict(scaffold_files()))
    plan = build.run()
    lay_out(build.files, app)
    assert_sound(app, plan)


def test_follow_ups_keep_an_app_sound(make_app: Callable[[str], App]) -> None:
    app = make_app("")
    files = dict(scaffold_files())
    Build(CRM, files).run()
    for message in (
        "add a priority (low, high) and a due date to deals",
        "rename stage to phase",
        "add suppliers with name, website and a customer",
        "rename email to mailbox and add a rating from 1 to 5; each deal belongs to a supplier",
    ):
        build = Build(message, files)
        plan = build.run()
        assert not build.failed_edits
    lay_out(files, app)
    assert_sound(app, plan)
