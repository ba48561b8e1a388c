"""One gate run: the checks in their order, each with its deadline, until the verdict stands.

tsc needs only the tree and the suite only the database, so both run while the app starts and its
pages are bundled. A check that fails makes the verdict red; the others then get a grace to add
their evidence, and are cut when it is over. What the platform could not do is never a finding.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

from fleet.domain.page import PageVisit
from fleet.domain.verdict import CheckName, CheckOutcome, CheckResult, Finding
from fleet.errors import AppError, InfrastructureError, SetupError, WorkloadCrashed, in_short
from fleet.ports import OnCheck
from fleet.verification.answers import NO_ANSWER, judge_crash, told_as_end
from fleet.verification.artefacts import with_log
from fleet.verification.browse import check_browse
from fleet.verification.bundle import SourceMappedBrowser
from fleet.verification.contract import ContractCheck, LiveApp
from fleet.verification.evidence import blocked, cut, finding, judged, not_run
from fleet.verification.sandbox import Sandbox
from fleet.verification.soundness import Soundness
from fleet.verification.stages import Stages, Stopped, Tools, unwind
from fleet.verification.subject import Subject
from fleet.verification.tests import check_tests
from fleet.verification.twin import Twin
from fleet.verification.typescript import check_typescript

_LOG_LINES = 5_000
_VISIT_S = 10.0
_SERVER = "server/main.ts"
_NEED_THE_APP = (CheckName.TESTS, CheckName.BROWSE)

_log = structlog.get_logger()


class Judging:
    """`await judging.run()`; then `results` and `phases`."""

    def __init__(
        self, subject: Subject, twin: Twin, tools: Tools, on_check: OnCheck | None
    ) -> None:
        self.results: dict[CheckName, CheckResult] = {}
        self.phases: dict[str, float] = {}
        self._subject = subject
        self._twin = twin
        self._tools = tools
        self._on_check = on_check
        self._workload = twin.workload.id
        self._stages: Stages
        self._soundness = Soundness(tools.timelines, tools.runtime, twin)
        self._sandboxes = {
            check: Sandbox(tools.runtime, tools.patience.of(check), self._soundness.control)
            for check in CheckName
        }
        self._after_contract = asyncio.Event()
        self._after_pages = asyncio.Event()
        self._turned_red = asyncio.Event()
        self._app_ended = False
        self._why_stopped = ""
        self._faults: list[InfrastructureError] = []

    async def run(self) -> None:
        """Raises InfrastructureError when a check could not judge and no other found a fault."""
        sandbox = self._sandboxes[CheckName.BROWSE]
        stages = Stages(self._subject, self._twin, self._tools, self._soundness, sandbox)
        self._stages, self.phases = stages, stages.phases
        checks = {
            asyncio.create_task(self._check(check, work), name=f"check {check}"): check
            for check, work in self._work(stages).items()
        }
        try:
            await self._collect(checks)
        finally:
            await unwind([*checks, *stages.all])
        if self._faults and not self._red:
            raise self._faults[0]

    async def _collect(self, checks: dict[asyncio.Task[CheckResult], CheckName]) -> None:
        clock, patience = self._tools.clock, self._tools.patience
        began, give_up_at = clock.monotonic(), None
        grace_s = patience.grace_s
        pending = set(checks)
        while pending:
            left = None if give_up_at is None else max(0.0, give_up_at - clock.monotonic())
            done, pending = await asyncio.wait(
                pending, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                self._add(task.result())
            ended = {t for t in pending if self._why_stopped and checks[t] in _NEED_THE_APP}
            for task in ended:
                self._add(blocked(checks[task], self._why_stopped))
            pending -= ended
            if not done:
                for task in pending:
                    self._add(cut(checks[task], grace_s))
                return
            if self._red and give_up_at is None:
                grace_s = max(grace_s, clock.monotonic() - began)
                give_up_at = clock.monotonic() + grace_s

    @property
    def _red(self) -> bool:
        return any(r.outcome is CheckOutcome.FAILED for r in self.results.values())

    def _add(self, result: CheckResult) -> None:
        self.results[result.check] = result
        if self._red:
            self._turned_red.set()
        if self._on_check is not None:
            self._on_check(result)

    # The checks

    def _work(self, stages: Stages) -> dict[CheckName, Coroutine[Any, Any, CheckResult]]:
        return {
            CheckName.TYPESCRIPT: self._typescript(stages),
            CheckName.CONTRACT: self._contract(stages),
            CheckName.TESTS: self._tests(stages),
            CheckName.BROWSE: self._browse(stages),
        }

    async def _typescript(self, stages: Stages) -> CheckResult:
        await asyncio.shield(stages.prepared)
        sandbox = self._sandboxes[CheckName.TYPESCRIPT]
        async with self._stages.timed("typescript"):
            return await check_typescript(self._subject, sandbox, self._workload, self._tools.clock)

    async def _tests(self, stages: Stages) -> CheckResult:
        await asyncio.shield(stages.prepared)
        await asyncio.shield(stages.migrated)
        sandbox = self._sandboxes[CheckName.TESTS]
        async with self._stages.timed("tests"):
            result = await check_tests(self._subject, sandbox, self._workload, self._tools.clock)
            if result.outcome is CheckOutcome.FAILED:
                await self._soundness.database()
        return result

    async def _contract(self, stages: Stages) -> CheckResult:
        try:
            socket = await asyncio.shield(stages.started)
        except Stopped as stopped:
            self._why_stopped = stopped.why
            return judged(CheckName.CONTRACT, stopped.findings, 0.0)
        check = ContractCheck(self._subject, self._live_app(socket))
        findings: list[Finding] = []
        async with self._stages.timed("contract"), self._deadline(CheckName.CONTRACT, findings):
            findings += await check.before_pages()
        findings = await self._unless_ended(findings)
        elapsed_s = self.phases["contract"]
        self._after_contract.set()
        if not findings:
            # Nor does it wait for pages once the verdict is red: its evidence may help the mend.
            await _first_of(self._after_pages, self._turned_red)
            async with (
                self._stages.timed("contract_end"),
                self._deadline(CheckName.CONTRACT, findings),
            ):
                findings += await check.after_pages()
            findings = await self._unless_ended(findings)
            elapsed_s += self.phases["contract_end"]
        return judged(CheckName.CONTRACT, findings, elapsed_s)

    async def _unless_ended(self, findings: list[Finding]) -> list[Finding]:
        """What an ended app left unanswered is told as its end, once."""
        silent = any(found.code == NO_ANSWER for found in findings)
        ended = await self._soundness.app(suspect=bool(findings), silent=silent)
        if not ended:
            return findings
        self._app_ended = True
        return told_as_end(findings, ended)

    def _live_app(self, socket: str) -> LiveApp:
        sandbox = self._sandboxes[CheckName.CONTRACT]
        return LiveApp(
            socket=socket,
            endpoint=self._twin.endpoint,
            timelines=self._tools.timelines,
            logs=self._app_log,
            execute=lambda command: sandbox.execute(self._workload, command),
        )

    async def _browse(self, stages: Stages) -> CheckResult:
        # Pages and probes share one schema: a page would otherwise see rows come and go.
        socket = await asyncio.shield(stages.started)
        await self._after_contract.wait()
        if self._app_ended:
            return blocked(CheckName.BROWSE, "The app ended by itself while it was asked.")
        unbundled = await asyncio.shield(stages.bundled)
        if unbundled:
            return judged(CheckName.BROWSE, unbundled, self.phases["bundle"])
        sandbox = self._sandboxes[CheckName.BROWSE]
        browser = SourceMappedBrowser(self._tools.browser, sandbox, self._workload)
        late: list[Finding] = []
        result: CheckResult | None = None
        async with self._stages.timed("browse"), self._deadline(CheckName.BROWSE, late):
            result = await check_browse(self._subject, browser, socket, self._tools.clock)
        if result is None:
            return judged(CheckName.BROWSE, late, self.phases["browse"])
        if result.outcome is CheckOutcome.SKIPPED:
            return result
        ended = await self._soundness.app(suspect=result.outcome is CheckOutcome.FAILED)
        if not ended:
            return result
        findings = [*result.findings, *ended]
        return judged(CheckName.BROWSE, findings, result.elapsed_s, artefacts=result.artefacts)

    async def _check(self, check: CheckName, work: Coroutine[Any, Any, CheckResult]) -> CheckResult:
        """Its result, whatever happens: a fault of the platform's makes it one that was not run."""
        try:
            result = await work
        except Stopped as stopped:
            return blocked(check, stopped.why)
        except WorkloadCrashed as crash:
            result = judged(check, [judge_crash(crash)], 0.0)
        except SetupError as error:
            return not_run(check, in_short(error))
        except (InfrastructureError, AppError, OSError) as error:
            # The app's faults were turned into findings where they can arise.
            _log.warning("check could not judge", check=check, error=str(error))
            fault = error if isinstance(error, InfrastructureError) else None
            why = f"The gate could not judge: {in_short(error)}"
            self._faults.append(fault or InfrastructureError(why))
            return not_run(check, in_short(error))
        finally:
            if check is CheckName.CONTRACT:
                self._after_contract.set()
            if check is CheckName.BROWSE:
                self._after_pages.set()
        return await self._with_log(result)

    async def _with_log(self, result: CheckResult) -> CheckResult:
        if result.outcome is not CheckOutcome.FAILED:
            return result
        log = self._sandboxes[result.check].log
        if result.check in (CheckName.CONTRACT, CheckName.BROWSE):
            log = await self._app_log() or log
        return await asyncio.to_thread(with_log, result, self._subject.artefacts, log)

    async def _control_browser(self) -> None:
        """A visit has a deadline of its own: whatever it reports, the browser is alive."""
        status = await self._tools.runtime.status(self._workload)
        visit = PageVisit(socket=status.socket, path="/healthz", timeout_s=_VISIT_S)
        try:
            async with asyncio.timeout(2 * _VISIT_S):
                await self._tools.browser.visit(visit)
        except TimeoutError as error:
            raise InfrastructureError(
                "The browser does not end a visit at its deadline."
            ) from error

    async def _app_log(self) -> str:
        return await self._tools.runtime.logs(self._workload, _LOG_LINES)

    @asynccontextmanager
    async def _deadline(self, check: CheckName, findings: list[Finding]) -> AsyncIterator[None]:
        """Past the deadline it is the app that took so long, if the platform is found well."""
        limit_s = self._tools.patience.of(check)
        try:
            async with asyncio.timeout(limit_s):
                yield
        except TimeoutError:
            await self._soundness.control()
            if check is CheckName.BROWSE:
                await self._control_browser()
            what = "its procedures" if check is CheckName.CONTRACT else "its pages"
            message = f"the app did not answer for all of {what} within {limit_s:.0f} s."
            findings.append(finding(_SERVER, f"{check}-timeout", message))


async def _first_of(*events: asyncio.Event) -> None:
    """The check's caller sets the deadline: each event comes at the latest with it."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
