"""One gate run for a claim of done, told to the watchers check by check."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from pydantic import JsonValue

from fleet.domain.event import EventKind
from fleet.domain.verdict import CheckResult, GateNotice, GateRequest, Verdict
from fleet.generation.evidence import findings_json
from fleet.ports import Gatekeeper

Emit = Callable[[EventKind, dict[str, JsonValue]], Awaitable[None]]


async def verify(gatekeeper: Gatekeeper, request: GateRequest, emit: Emit) -> Verdict:
    """Raises InfrastructureError when the gate could not judge."""
    checks: asyncio.Queue[CheckResult | GateNotice | None] = asyncio.Queue()
    telling = asyncio.create_task(_tell(checks, emit))
    try:
        verdict = await gatekeeper.verify(request, checks.put_nowait)
        checks.put_nowait(None)
        await telling
    finally:
        telling.cancel()
    return verdict


async def _tell(checks: asyncio.Queue[CheckResult | GateNotice | None], emit: Emit) -> None:
    while (result := await checks.get()) is not None:
        if isinstance(result, GateNotice):
            await emit(EventKind.NOTICE, {"text": result.text})
            continue
        await emit(
            EventKind.CHECK_FINISHED,
            {
                "check": result.check.value,
                "outcome": result.outcome.value,
                "elapsed_s": result.elapsed_s,
                "note": result.note,
                "findings": findings_json(result),
                "recalled": result.recalled,
            },
        )
