"""What a build tells of the platform's own faults: little, and to the right people."""

from __future__ import annotations

from structlog.testing import capture_logs

from fleet.domain.build import BuildState
from fleet.domain.event import EventKind
from fleet.domain.verdict import GateNotice, GateRequest, Verdict
from fleet.errors import InfrastructureError
from fleet.ports import OnCheck
from tests.unit.generation_world import CLAIM, Model, World, plan, write

LAUNCH_LOG = "Chromium does not start: killed.\nBrowser logs:\n" + "<launching> --flag\n" * 400
GREEN = [[write("a.ts", "fine\n"), CLAIM]]


async def _notices(world: World) -> list[str]:
    events = await world.store.events(world.project, 0)
    return [str(e.payload["text"]) for e in events if e.kind is EventKind.NOTICE]


async def test_a_fault_with_a_long_log_is_told_in_one_line_and_logged_whole() -> None:
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}))
    world.gate.faults = [InfrastructureError(LAUNCH_LOG, action="Ask.")] * 50
    await world.post()
    with capture_logs() as lines:
        done = await world.run()
    assert done is not None and done.state is BuildState.FAILED
    told = [done.explanation, *await _notices(world)]
    assert len(told) > 3
    for text in told:
        assert "Chromium does not start: killed. Ask." in text
        assert len(text) < 400 and "\n" not in text
    assert any(line.get("error", "").count("--flag") == 400 for line in lines)


async def test_a_gate_run_again_is_told_to_those_who_watch() -> None:
    world = World(Model({"appfleet:request": [[plan()]], "appfleet:task": GREEN}))
    judge = world.gate.verify

    async def verify(request: GateRequest, on_check: OnCheck | None = None) -> Verdict:
        assert on_check is not None
        on_check(GateNotice(text="The verifier died. The gate is run again."))
        return await judge(request, on_check)

    world.gate.verify = verify  # type: ignore[method-assign]
    await world.post()
    with capture_logs() as lines:
        done = await world.run()
    assert done is not None and done.state is BuildState.SUCCEEDED
    assert await _notices(world) == ["The verifier died. The gate is run again."]
    (judged,) = [line for line in lines if line["event"] == "gate judged"]
    assert judged["green"] is True and judged["attempt"] == 1
