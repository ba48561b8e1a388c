"""The gate over the verifier pool: what a dead, silent or frozen verifier comes to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from ray.exceptions import RayActorError
from structlog.testing import capture_logs

from actors import proxy
from actors.proxy import RemoteBrowser, RemoteGatekeeper
from fleet.domain.ids import AppSlug, BuildId, CommitId, ProjectId
from fleet.domain.page import PageVisit
from fleet.domain.plan import Contract
from fleet.domain.verdict import GateNotice, GateRequest, Verdict
from fleet.errors import InfrastructureError

REQUEST = GateRequest(
    run="bld_a.1.1",
    project=ProjectId("prj_a"),
    build=BuildId("bld_a"),
    app=AppSlug("main"),
    app_path="",
    commit=CommitId("c" * 40),
    base=None,
    contract=Contract(),
)
VERDICT = Verdict(commit=REQUEST.commit, results=(), elapsed_s=1.0)
# The pool in the order in which this run comes to it.
_DIES_FIRST, _NEXT = ("verifier-0", "verifier-1")


class _Method:
    """An actor's method as it is called through Ray."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.remote = call

    def options(self, **_: object) -> _Method:
        return self


class Verifier:
    """Streams its verdict; a `dead` one ends the stream, a frozen one answers nothing."""

    def __init__(self, *, dead: bool = False, frozen: bool = False, slow_s: float = 0.0) -> None:
        self._dead, self._frozen, self._slow_s = dead, frozen, slow_s
        self.asked = 0
        self.ready, self.verify = _Method(self._ready), _Method(self._verify)
        self.visit = _Method(lambda _: asyncio.sleep(3600))

    async def _ready(self) -> bool:
        self.asked += 1
        if self._frozen and self.asked > 1:
            await asyncio.sleep(3600)
        return True

    async def _verify(self, _: GateRequest) -> AsyncIterator[Awaitable[Verdict]]:
        if self._frozen:
            await asyncio.sleep(3600)
        await asyncio.sleep(self._slow_s)
        if self._dead:
            raise RayActorError
        told: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        told.set_result(VERDICT)
        yield told


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SILENCE_S", "ANSWER_S", "RESTART_DEADLINE_S"):
        monkeypatch.setattr(proxy, name, 0.05)
    monkeypatch.setattr(proxy, "VISIT_REST_S", 0.1)


async def _verify(
    monkeypatch: pytest.MonkeyPatch, first: Verifier, other: Verifier
) -> tuple[Verdict, list[str], list[Any]]:
    pool = iter([first, other])
    seen: dict[str, Verifier] = {}

    def actor(name: str) -> Verifier:
        if name not in seen:
            seen[name] = next(pool)
        return seen[name]

    monkeypatch.setattr(proxy, "actor", actor)
    told: list[Any] = []
    with capture_logs() as lines:
        gatekeeper = RemoteGatekeeper([_DIES_FIRST, _NEXT])
        verdict = await asyncio.wait_for(gatekeeper.verify(REQUEST, told.append), 10)
    return verdict, [t.text for t in told if isinstance(t, GateNotice)], list(lines)


async def test_a_dead_verifier_is_told_and_logged_and_another_one_judges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdict, notices, lines = await _verify(monkeypatch, Verifier(dead=True), Verifier())
    assert verdict == VERDICT
    (notice,) = notices
    assert "died during the gate" in notice and "is run again" in notice
    assert [line["event"] for line in lines] == ["gate to be repeated"]


async def test_a_frozen_verifier_is_left_for_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = Verifier(frozen=True)
    verdict, notices, _ = await _verify(monkeypatch, frozen, Verifier())
    assert verdict == VERDICT and frozen.asked == 2
    assert "answers nothing" in notices[0]


async def test_a_verifier_that_is_only_slow_keeps_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Verifier(slow_s=0.4)
    verdict, notices, _ = await _verify(monkeypatch, slow, Verifier(dead=True))
    assert verdict == VERDICT and notices == []
    assert slow.asked > 2


async def test_a_visit_that_is_not_answered_is_the_platforms_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proxy, "actor", lambda _: Verifier())
    visit = PageVisit(socket="/tmp/a.sock", path="/", timeout_s=0.1)
    with pytest.raises(InfrastructureError, match="answers nothing"):
        await asyncio.wait_for(RemoteBrowser(["verifier-0"]).visit(visit), 10)
