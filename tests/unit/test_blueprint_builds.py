"""blueprint drives a whole build through messages and tools alone, and mends only from evidence."""

from __future__ import annotations

import json

import pytest

from serve.models.blueprint import Fault
from serve.models.blueprint.app_model import NOTES_PATH
from tests.unit.blueprint_driver import Build, scaffold_files

CRM = "customers with name and email; deals with amount, stage (lead, won, lost) and a customer"
MESSAGES = [CRM, "A pomodoro timer", "A school with teachers, courses, students and grades", "🍕"]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_build_ends_with_everything_the_contract_declares(message: str) -> None:
    build = Build(message, scaffold_files())
    plan = build.run()
    files = build.files
    assert not build.failed_edits
    assert "tests/placeholder.test.ts" not in files
    assert "placeholder" not in files["server/router.ts"]
    assert "Nothing has been built" not in files["src/pages/HomePage.tsx"]
    assert files["README.md"].startswith(f"# {plan.title}\n")
    migrations = "".join(t for p, t in files.items() if p.startswith("db/migrations/0"))
    tests = "".join(t for p, t in files.items() if p.endswith(".test.ts"))
    for table in plan.contract.tables:
        assert f"create table {table} (" in migrations
    for procedure in plan.contract.procedures:
        assert f'test("{procedure.name} ' in tests
    assert json.loads(files[NOTES_PATH])["title"] == plan.title


def test_small_apps_take_one_task_and_larger_ones_two() -> None:
    assert len(Build(CRM, scaffold_files()).plan().tasks) == 1
    assert len(Build(MESSAGES[2], scaffold_files()).plan().tasks) == 2


@pytest.mark.parametrize(
    ("follow_up", "migration", "column"),
    [
        (
            "add a phone number to customers",
            "alter table customers add column phone_number",
            "phone",
        ),
        ("rename stage to phase", "rename column stage to phase", "phase"),
        ("Add suppliers with name and website", "create table suppliers", "website"),
        ("also track invoices", "create table invoices", "amount"),
        ("customers should also have a birthday", "add column birthday date", "birthday"),
        ("remove email from customers", "alter table customers drop column email", "name"),
        (
            "add suppliers with name, website and a customer",
            "create table suppliers",
            "customer_id",
        ),
        ("rename name to caption in customers", "rename column name to caption", "caption"),
        ("Füge Telefon zu customers hinzu", "add column telefon", "telefon"),
    ],
)
def test_a_follow_up_is_a_new_migration_and_edits_of_what_is_there(
    follow_up: str, migration: str, column: str
) -> None:
    first = Build(CRM, scaffold_files())
    first.run()
    before = dict(first.files)
    build = Build(follow_up, first.files)
    build.run()
    assert not build.failed_edits
    new = [p for p in build.files if p.startswith("db/migrations/0002_")]
    assert len(new) == 1
    assert migration in build.files[new[0]]
    assert (
        build.files["db/migrations/0001_create_tables.sql"]
        == before["db/migrations/0001_create_tables.sql"]
    )
    records = "".join(t for p, t in build.files.items() if p.startswith("server/records/"))
    assert column in records
    # The edits lead where writing the app anew would lead.
    assert len(json.loads(build.files[NOTES_PATH])["entities"]) >= 2


def test_a_follow_up_can_change_the_title_alone() -> None:
    first = Build(CRM, scaffold_files())
    first.run()
    build = Build('Change the title to "Dr. Sales & Co"', first.files)
    plan = build.run()
    assert plan.title == "Dr. Sales & Co"
    assert not build.failed_edits
    assert build.files["README.md"].startswith("# Dr. Sales & Co\n")
    assert "<title>Dr. Sales &amp; Co</title>" in build.files["index.html"]
    assert not [p for p in build.files if p.startswith("db/migrations/0002")]


def test_a_follow_up_that_is_not_understood_changes_nothing_and_says_so() -> None:
    first = Build(CRM, scaffold_files())
    first.run()
    before = dict(first.files)
    build = Build("make it pop", first.files)
    assert "nothing is changed" in build.run().summary
    assert build.files == before


def test_a_file_someone_changed_is_written_whole_when_the_edit_does_not_fit() -> None:
    first = Build(CRM, scaffold_files())
    first.run()
    first.files["server/procedures/customers.ts"] = "// rewritten by hand\n"
    build = Build("add a phone number to customers", first.files)
    build.run()
    assert build.failed_edits
    assert "phoneNumber" in build.files["server/procedures/customers.ts"]


EVIDENCE: dict[Fault, dict[str, object]] = {
    Fault.TYPE_ERROR: {"check": "typescript", "where": "src/navigation.ts", "code": "TS2322"},
    Fault.MISSING_PROCEDURE: {"check": "contract", "where": "deals.update", "code": "missing"},
    Fault.MISSING_TABLE: {"check": "contract", "where": "deals", "code": "missing-table"},
    Fault.FAILING_TEST: {"check": "tests", "where": "tests/deals.test.ts", "code": "failed"},
    Fault.BLANK_PAGE: {"check": "browse", "where": "/deals", "code": "blank"},
    Fault.SERVER_ERROR: {"check": "contract", "where": "deals.get", "code": "server-error"},
}


@pytest.mark.parametrize("fault", list(EVIDENCE), ids=lambda f: f.value)
def test_a_fault_is_made_first_and_mended_from_evidence_alone(fault: Fault) -> None:
    right = Build(CRM, scaffold_files())
    right.run()
    build = Build(CRM, scaffold_files(), fault)
    plan = build.plan()
    assert {"deals"} <= set(plan.contract.tables)
    build.start(plan)
    build.work()
    wrong = dict(build.files)
    assert wrong != right.files
    build.tell({"check": "typescript", "where": "src/other.ts", "code": "TS1", "message": "no"})
    build.work()
    assert build.files == wrong, "evidence about something else mends nothing"
    build.tell({"message": "", "line": 0, "excerpt": "", **EVIDENCE[fault]})
    build.work()
    if fault is Fault.MISSING_TABLE:
        assert "create table deals" in build.files["db/migrations/0002_add_what_was_missing.sql"]
    else:
        assert build.files == right.files


@pytest.mark.parametrize("fault", list(EVIDENCE), ids=lambda f: f.value)
def test_a_fault_of_the_server_side_gives_a_timer_something_to_be_wrong_about(fault: Fault) -> None:
    build = Build("A pomodoro timer", scaffold_files(), fault)
    right = Build("A pomodoro timer", scaffold_files())
    build.run()
    right.run()
    assert build.files != right.files


def test_a_dead_process_is_resumed_without_doing_anything_twice() -> None:
    build = Build(CRM, scaffold_files())
    build.start(build.plan())
    first = build.work()
    del build.conversation[-2:]  # its claim was lost
    assert build.work() == []
    assert len(first) == len(set(first))
