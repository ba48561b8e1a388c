"""The real gate on real drivers: the catalog's example app is green, six mistakes are caught."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from catalog.catalog import scaffold_files
from fleet.domain.ids import CommitId, ProjectId
from fleet.domain.plan import Contract
from fleet.domain.verdict import CheckName, CheckOutcome, Verdict
from fleet.verification.placeholder import NO_SUCH_PAGE_TEXT, PLACEHOLDER_TEXT
from tests.gate.corpus import load_apps
from tests.gate.workshop import Workshop, open_workshop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

PROJECT = ProjectId("gate-x7k2p")
APP = load_apps()["billing"]
CONTRACT = APP.contract


def example_app() -> dict[str, str]:
    return dict(APP.files)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workshop() -> AsyncIterator[Workshop]:
    async with open_workshop() as opened:
        await opened.start_project(PROJECT)
        yield opened


async def verify(
    workshop: Workshop,
    files: Mapping[str, str],
    contract: Contract = CONTRACT,
    base: CommitId | None = None,
) -> Verdict:
    verdict = await workshop.verify(PROJECT, files, contract, base)
    print(f"\n{verdict.elapsed_s} s {verdict.phases}")
    for check, seen in verdict.findings:
        print(check, seen.where, seen.line, seen.code, seen.message, seen.excerpt, sep=" | ")
    return verdict


def outcomes(verdict: Verdict) -> dict[CheckName, CheckOutcome]:
    return {result.check: result.outcome for result in verdict.results}


def found(verdict: Verdict, check: CheckName) -> set[tuple[str, str]]:
    return {(f.where, f.code) for c, f in verdict.findings if c is check}


async def test_the_example_app_is_green_and_leaves_nothing_behind(workshop: Workshop) -> None:
    await verify(workshop, example_app())  # warms the stores and Chromium
    verdict = await verify(workshop, example_app())
    assert verdict.green, verdict.findings
    assert set(outcomes(verdict).values()) == {CheckOutcome.PASSED}
    (browse,) = [r for r in verdict.results if r.check is CheckName.BROWSE]
    assert len(browse.artefacts) == len(CONTRACT.pages)
    for artefact in browse.artefacts:
        assert (workshop.artefacts / artefact).read_bytes().startswith(b"\x89PNG")
    await workshop.gate.close()
    assert await workshop.runtime.workloads() == []
    assert await workshop.timelines.endpoints() == []
    assert await workshop.timelines.timelines() == [f"{PROJECT}.dev"]
    assert not [r for r in await workshop.store.resources(PROJECT) if r.scope != "project"]


async def test_the_untouched_scaffold_is_red_for_its_placeholders(workshop: Workshop) -> None:
    scaffold = scaffold_files()
    assert any(NO_SUCH_PAGE_TEXT in text for text in scaffold.values())
    assert any(PLACEHOLDER_TEXT in text for text in scaffold.values())
    verdict = await verify(workshop, scaffold, Contract())
    assert {code for _, code in found(verdict, CheckName.CONTRACT)} == {"placeholder"}
    assert ("placeholder", "placeholder") in found(verdict, CheckName.CONTRACT)
    assert found(verdict, CheckName.BROWSE) == {("/", "placeholder")}


async def test_a_type_error_is_caught_by_typescript(workshop: Workshop) -> None:
    files = example_app()
    files["server/procedures/customers.ts"] += '\nexport const wrong: number = "text";\n'
    verdict = await verify(workshop, files)
    assert found(verdict, CheckName.TYPESCRIPT) == {("server/procedures/customers.ts", "TS2322")}
    assert outcomes(verdict)[CheckName.CONTRACT] is CheckOutcome.PASSED


async def test_a_missing_procedure_is_caught_by_the_contract(workshop: Workshop) -> None:
    files = example_app()
    path = "server/procedures/invoices.ts"
    files[path] = files[path].replace("  remove: publicProcedure", "  erase: publicProcedure")
    verdict = await verify(workshop, files)
    assert ("invoices.remove", "missing-procedure") in found(verdict, CheckName.CONTRACT)


async def test_a_missing_table_is_caught_by_the_contract(workshop: Workshop) -> None:
    files = example_app()
    del files["db/migrations/0002_invoices.sql"]
    verdict = await verify(workshop, files)
    assert ("invoices", "missing-table") in found(verdict, CheckName.CONTRACT)


async def test_a_failing_test_is_caught_by_the_tests(workshop: Workshop) -> None:
    files = example_app()
    files["tests/customers.test.ts"] += '\ntest("two is three", () => expect(2).toBe(3));\n'
    verdict = await verify(workshop, files)
    assert found(verdict, CheckName.TESTS) == {("tests/customers.test.ts", "test-failed")}
    others = set(outcomes(verdict).items()) - {(CheckName.TESTS, CheckOutcome.FAILED)}
    assert {outcome for _, outcome in others} == {CheckOutcome.PASSED}


async def test_a_blank_page_is_caught_by_browse(workshop: Workshop) -> None:
    files = example_app()
    files["src/pages/CustomersPage.tsx"] = "export function CustomersPage() {\n  return null;\n}\n"
    verdict = await verify(workshop, files)
    assert found(verdict, CheckName.BROWSE) == {("/customers", "blank-page")}
    (blank,) = [f for c, f in verdict.findings if c is CheckName.BROWSE]
    assert "src/pages/CustomersPage.tsx" in blank.excerpt
    assert (workshop.artefacts / blank.artefact).exists()


async def test_a_server_error_is_caught_by_the_contract(workshop: Workshop) -> None:
    files = example_app()
    path = "server/records/customers.ts"
    files[path] = files[path].replace("select * from customers\n", "select * from custommers\n")
    verdict = await verify(workshop, files)
    assert ("customers.list", "server-error") in found(verdict, CheckName.CONTRACT)
    (error,) = [f for _, f in verdict.findings if f.code == "server-error"]
    assert "custommers" in error.excerpt


async def test_an_app_that_does_not_start_blocks_what_needs_it(workshop: Workshop) -> None:
    files = example_app()
    files["server/procedures/customers.ts"] += '\nthrow new Error("no start today");\n'
    verdict = await verify(workshop, files)
    assert ("server/procedures/customers.ts", "app-crashed") in found(verdict, CheckName.CONTRACT)
    assert outcomes(verdict)[CheckName.TESTS] is CheckOutcome.BLOCKED
    assert outcomes(verdict)[CheckName.BROWSE] is CheckOutcome.BLOCKED
    assert not verdict.green


async def test_a_failing_migration_names_its_file(workshop: Workshop) -> None:
    files = example_app()
    files["db/migrations/0003_broken.sql"] = "create tabel oops ();\n"
    verdict = await verify(workshop, files)
    assert found(verdict, CheckName.CONTRACT) == {
        ("db/migrations/0003_broken.sql", "migration-failed")
    }


async def test_pages_are_left_alone_when_no_browser_file_changed(workshop: Workshop) -> None:
    files = example_app()
    base = await workshop.commit(PROJECT, files)
    files["README.md"] = "changed"
    verdict = await verify(workshop, files, base=base)
    assert outcomes(verdict)[CheckName.BROWSE] is CheckOutcome.SKIPPED
    assert verdict.green
