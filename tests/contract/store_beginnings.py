"""Beginnings shared by the Store contract's bodies."""

from __future__ import annotations

from datetime import timedelta

from fleet.domain.build import Build, BuildState, Task
from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.lease import Lease
from fleet.domain.plan import Contract, Plan, PlannedTask, Procedure, ProcedureKind
from fleet.domain.verdict import CheckName, CheckOutcome, CheckResult, Finding, Verdict
from fleet.ports import Store

TTL = timedelta(seconds=30)
SHORT = timedelta(milliseconds=150)
COMMIT = CommitId("a" * 40)
PLAN = Plan(
    title="CRM",
    summary="Customers.",
    tasks=(
        PlannedTask(title="Schema", instructions="Make it."),
        PlannedTask(title="Pages", instructions="Make them."),
    ),
    contract=Contract(
        procedures=(
            Procedure(name="customers.list", kind=ProcedureKind.QUERY, example_input={"q": "é"}),
        ),
        tables=("customers",),
    ),
)
VERDICT = Verdict(
    commit=COMMIT,
    results=(
        CheckResult(
            check=CheckName.TYPESCRIPT,
            outcome=CheckOutcome.FAILED,
            findings=(Finding(where="src/App.tsx", code="TS2322", message="no\0", line=3),),
        ),
    ),
    elapsed_s=1.5,
    phases={"twin": 0.5},
)


async def make_project(store: Store, name: str = "crm-aaaaa", owner: str = "ada") -> ProjectId:
    owner_id = (await store.ensure_owner(owner)).id
    return (await store.create_project(owner_id, ProjectId(name), "A CRM")).id


async def claimed(store: Store, holder: str = "host-1") -> tuple[Build, Lease]:
    claim = await store.claim_build(holder, TTL)
    assert claim is not None
    return claim


async def started(store: Store) -> tuple[ProjectId, Build, Lease]:
    project = await make_project(store)
    await store.post_message(project, "a crm", None)
    return project, *(await claimed(store))


async def planned(store: Store) -> tuple[Build, Lease, list[Task]]:
    _, build, lease = await started(store)
    await store.advance_build(lease, build.id, BuildState.PLANNING)
    return build, lease, await store.save_plan(lease, build.id, PLAN, None)
