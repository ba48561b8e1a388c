"""What pages, answers and ends prove: the finer rules of `browse` and `contract`."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from fleet.domain.page import ConsoleEntry, FailedRequest, FormReport, LinkReport, PageReport
from fleet.domain.plan import Procedure, ProcedureKind
from fleet.errors import WorkloadCrashed
from fleet.verification.answers import (
    judge_answer,
    judge_crash,
    judge_tables,
    told_as_end,
    with_cause,
    with_registered,
)
from fleet.verification.evidence import NO_NETWORK, finding
from fleet.verification.pages import judge_links, judge_page, once
from fleet.verification.probe import BLOCKS, CUT_OFF, GONE, SILENT, Answer, Prober

PAGE = PageReport(
    path="/rows",
    status=200,
    title="t",
    text="Rows",
    visible_elements=9,
    console=(),
    failed_requests=(),
    timed_out=False,
    screenshot="",
    elapsed_s=0.1,
    extras={"main_text": "Rows"},
)
SOURCES = {"src/navigation.ts": 'path: "/gone"'}


def codes(**changes: object) -> list[str]:
    return [f.code for f in judge_page(PAGE.model_copy(update=changes), "src/P.tsx", "")]


# Pages.


def test_only_a_form_without_any_reaction_is_dead() -> None:
    assert codes(forms=(FormReport(label="Save", reaction="nothing"),)) == ["dead-form"]
    for alive in ("request", "change", "validation", "navigation", "dialog", "untried", "error"):
        assert codes(forms=(FormReport(label="Save", reaction=alive),)) == []


def test_a_form_whose_handler_throws_tells_the_error_and_its_place() -> None:
    text = "TypeError: no\n    at save (http://app.localhost/src/pages/New.tsx:9:3)"
    report = PAGE.model_copy(
        update={
            "forms": (FormReport(label="Save", reaction="error"),),
            "errors": (ConsoleEntry(level="pageerror", text=text),),
        }
    )
    (found,) = judge_page(report, "src/P.tsx", "")
    assert (found.code, found.line) == ("form-error", 9)
    assert "src/pages/New.tsx" in found.excerpt


def test_a_page_that_repeats_a_request_or_never_ends_loading_is_red() -> None:
    assert codes(repeated="GET http://app.localhost/trpc/rows.list?input=1") == ["request-loop"]
    assert codes(extras={"waiting": True}) == ["stuck-loading"]


def test_a_request_to_another_host_says_that_there_is_no_network() -> None:
    away = FailedRequest(method="GET", url="https://fonts.example.com/a.css", failure="net::ERR")
    (found,) = judge_page(PAGE.model_copy(update={"failed_requests": (away,)}), "", "")
    assert NO_NETWORK in found.message and "fonts.example.com" in found.message


def test_the_placeholders_of_a_console_message_are_not_its_text() -> None:
    entry = ConsoleEntry(level="error", text="%o\n\n%s\n\n Error: no rows\n at x")
    (found,) = judge_page(PAGE.model_copy(update={"console": (entry,)}), "", "")
    assert found.message == "Error: no rows"


def link(href: str, text: str, status: int = 200, nothing: str = "No such page.") -> PageReport:
    told = LinkReport(href=href, label="Go", status=status, text=text, nothing=nothing)
    return PAGE.model_copy(update={"links": (told,)})


def test_a_link_is_dead_where_an_impossible_address_leads() -> None:
    (dead,) = judge_links([link("/gone", "No such page.")], SOURCES)
    assert (dead.where, dead.code) == ("/rows", "dead-link")
    assert "src/navigation.ts" in dead.excerpt
    assert [f.code for f in judge_links([link("/x.pdf", "", 404)], {})] == ["dead-link"]
    assert list(judge_links([link("/about", "About us")], {})) == []


def test_an_app_that_shows_its_start_for_any_address_has_no_dead_links() -> None:
    assert list(judge_links([link("/about", "Rows", nothing="Rows")], {})) == []
    assert list(judge_links([link("/about", "", nothing="")], {})) == []


def test_a_request_that_fails_on_every_page_is_told_once() -> None:
    failed = [finding(f"/{n}", "request-failed", "GET /a.js failed") for n in range(3)]
    blank = [finding(f"/{n}", "blank-page", "blank") for n in range(2)]
    told = once([*failed, *blank])
    assert [f.where for f in told] == ["/0", "/0", "/1"]
    assert "also on: /1, /2" in told[0].excerpt
    assert told[0].fingerprint == failed[0].fingerprint


# Answers, tables, ends.


def test_a_declared_column_must_exist() -> None:
    found = judge_tables(["notes"], {"notes": ["id", "title"]}, {"notes": ["id", "name"]})
    assert [(f.where, f.code) for f in found] == [("notes", "missing-column")]
    assert "'title'" in found[0].message and "id, name" in found[0].excerpt
    assert [f.code for f in judge_tables(["a"], {"a": ["id"]}, {})] == ["missing-table"]


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ("Error: getaddrinfo EAI_AGAIN api.example.com", "needs-network"),
        ("Error: connect ECONNREFUSED 127.0.0.1:6379", "needs-network"),
        ("Error: connect ECONNREFUSED /run/db/.s.PGSQL.5432", "app-crashed"),
        ("FATAL ERROR: JavaScript heap out of memory", "out-of-memory"),
        ("SyntaxError: x", "app-crashed"),
    ],
)
def test_an_end_is_told_by_its_cause(log: str, code: str) -> None:
    assert judge_crash(WorkloadCrashed("exit code 1", log=log)).code == code


def test_a_server_error_for_want_of_a_network_says_so() -> None:
    found = finding("rows.list", "server-error", "HTTP 500", shown="GET /trpc/rows.list")
    log = "rows.list failed: TypeError: fetch failed\n cause: Error: getaddrinfo ENOTFOUND x.y\n"
    told = with_cause(found, log)
    assert told.code == "needs-network" and NO_NETWORK in told.message


@pytest.mark.parametrize(
    ("registered", "hint"),
    [
        (["a.list", "b.remove"], "Is it b.remove?"),
        (["a.list", "b.removeRow"], "Is it b.removeRow?"),
        (["a.list", "api.a.remove"], "Is it api.a.remove?"),
        (["a.list"], "at /trpc/a.remove."),
    ],
)
def test_a_missing_procedure_is_looked_for_among_what_nobody_declared(
    registered: Sequence[str], hint: str
) -> None:
    found = finding("a.remove", "missing-procedure", "no procedure answers at /trpc/a.remove.")
    told = with_registered(found, ["a.list", "a.remove"], registered)
    assert told.message.endswith(hint)
    assert registered[-1] in told.excerpt


def test_what_an_ended_app_left_unanswered_is_told_as_its_end() -> None:
    silent = finding("rows.list", "no-answer", GONE)
    ended = judge_crash(WorkloadCrashed("exit code 1", log="x"), running=True)
    (told,) = told_as_end([silent], [ended])
    assert told.fingerprint == ended.fingerprint
    assert told.excerpt.startswith("rows.list was asked last.")


# Probing.


def query(name: str) -> Procedure:
    return Procedure(name=name, kind=ProcedureKind.QUERY, example_input={})


@asynccontextmanager
async def app(answers: Mapping[str, object]) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.StreamResponse:
        name = request.path.removeprefix("/trpc/")
        if name == "hangs" or name.startswith("hangs."):
            await asyncio.sleep(60)
        if name == "cuts" and request.transport is not None:
            request.transport.abort()
        return web.Response(text=json.dumps({"result": {"data": answers.get(name)}}))

    with tempfile.TemporaryDirectory(prefix="af", dir="/tmp") as folder:
        server = web.Application()
        server.router.add_get("/{tail:.*}", answer)
        runner = web.AppRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, f"{folder}/http.sock").start()
        try:
            yield f"{folder}/http.sock"
        finally:
            await runner.cleanup()


async def test_ten_procedures_that_hang_cost_one_deadline() -> None:
    async with app({"fine": 1}) as socket, Prober(socket) as prober:
        started = time.monotonic()
        for number in range(10):
            assert await prober.ask(query(f"hangs.n{number}")) is None
        fine = await prober.ask(query("fine"))
        late = await prober.late()
        elapsed_s = time.monotonic() - started
    assert fine is not None and judge_answer(query("fine"), fine) == []
    assert [answer.failure for _, answer in late] == [SILENT] * 10
    assert elapsed_s < 10, "one deadline is 3 s, ten are 30 s"


async def test_an_answer_cut_off_and_an_app_that_is_gone_are_told_apart() -> None:
    async with app({}) as socket, Prober(socket) as prober:
        cut = await prober.ask(query("cuts"))
        assert cut is not None and cut.failure == CUT_OFF and not prober.lost
    async with Prober("/tmp/af-no-such.sock") as prober:
        gone = await prober.ask(query("fine"))
        assert gone is not None and gone.failure == GONE and prober.lost


def test_words_of_silence_have_no_figures_in_them() -> None:
    for failure in (SILENT, BLOCKS, CUT_OFF, GONE):
        (found,) = judge_answer(query("a.list"), Answer("GET /trpc/a.list", 0, "", failure))
        assert found.code == "no-answer" and not any(c.isdigit() for c in found.message)
