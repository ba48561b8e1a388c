"""Every fault of the corpus before the real gate, and every green app with its follow-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from fleet.domain.verdict import Verdict
from fleet.verification.stages import Patience
from tests.gate.corpus import App, Catch, Fault, Stage, load_apps, load_faults
from tests.gate.trial import Outcome, Trial, Trials
from tests.gate.workshop import open_workshop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

GREEN_RUNS = 1  # ten in `make bench-gate`: two cores have a quarter of an hour for everything
AT_ONCE = 2  # gates at a time: as many as the machine CI has cores
MIN_CAUGHT = 0.95
# Gates that share two cores are slow: which check catches a fault is asked here, not how soon.
PATIENCE = Patience(grace_s=15.0)


@dataclass
class Course:
    """All trials that the selected tests want, under way at once; each test awaits its own."""

    trials: Trials
    _faults: dict[str, asyncio.Task[Outcome]] = field(default_factory=dict)
    _greens: dict[tuple[str, Stage, int], asyncio.Task[Trial]] = field(default_factory=dict)

    def fault(self, fault: Fault) -> asyncio.Task[Outcome]:
        if fault.id not in self._faults:
            self._faults[fault.id] = asyncio.create_task(self.trials.fault(fault))
        return self._faults[fault.id]

    def green(self, app: App, stage: Stage, number: int) -> asyncio.Task[Trial]:
        key = (app.name, stage, number)
        if key not in self._greens:
            self._greens[key] = asyncio.create_task(self.trials.green(app, stage))
        return self._greens[key]

    async def stop(self) -> None:
        tasks = [*self._faults.values(), *self._greens.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


FAULTS = load_faults()
GREENS = [
    (app, stage, number)
    for app in load_apps().values()
    for stage in Stage
    for number in range(GREEN_RUNS)
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def course(request: pytest.FixtureRequest) -> AsyncIterator[Course]:
    selected = [item.callspec.params for item in request.session.items if _is_ours(item)]
    async with open_workshop(PATIENCE) as workshop:
        trials = Trials(workshop, asyncio.Semaphore(AT_ONCE), hasty=True)
        await trials.warm_up()
        opened = Course(trials)
        for params in selected:
            if "fault" in params:
                opened.fault(params["fault"])
            elif "green" in params:
                opened.green(*params["green"])
        try:
            yield opened
        finally:
            await opened.stop()


def _is_ours(item: pytest.Item) -> bool:
    return item.path.samefile(__file__) and hasattr(item, "callspec")


@pytest.mark.parametrize(
    "green", GREENS, ids=[f"{app.name}-{stage}-{number}" for app, stage, number in GREENS]
)
async def test_a_green_app_is_green(green: tuple[App, Stage, int], course: Course) -> None:
    trial = await course.green(*green)
    assert trial.verdict is not None, trial.reason
    assert trial.verdict.green, told(trial.verdict)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.id for fault in FAULTS])
async def test_a_fault_turns_the_verdict_red(fault: Fault, course: Course) -> None:
    outcome = await course.fault(fault)
    assert outcome.catch not in (Catch.MISSED, Catch.UNJUDGED), f"{fault.title}: {outcome.reason}"


async def test_nearly_all_faults_are_caught_by_the_check_that_is_named(course: Course) -> None:
    outcomes = [await course.fault(fault) for fault in FAULTS]
    misses = [o for o in outcomes if o.catch is not Catch.NAMED]
    for outcome in misses:
        print(f"{outcome.fault.id}: {outcome.catch}: {outcome.reason}")
    assert len(outcomes) - len(misses) >= MIN_CAUGHT * len(outcomes)


async def test_the_corpus_is_as_large_as_was_asked() -> None:
    assert len(load_apps()) >= 6
    assert len(FAULTS) >= 60
    assert {fault.app for fault in FAULTS} == set(load_apps())


def told(verdict: Verdict) -> str:
    results = [f"{r.check}: {r.outcome} {r.note}" for r in verdict.results]
    findings = [f"{c} {f.where} {f.code}: {f.message}\n{f.excerpt}" for c, f in verdict.findings]
    return "\n".join(results + findings)
