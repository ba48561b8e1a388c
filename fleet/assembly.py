"""Settings to drivers: the only place that chooses. Fail closed, never fall back.

A driver is imported where it is made: each of the platform's processes loads only its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fleet.domain.statement import JudgeSql
from fleet.ports import (
    Browser,
    ChatModel,
    Clock,
    Repositories,
    Runtime,
    Scaffold,
    Store,
    Timelines,
)
from fleet.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime

    from fleet.drivers.postgres.server import EmbeddedServer
    from fleet.generation.replay import Ground
    from fleet.verification.gate import Gate

_stores: dict[str, asyncio.Task[Store]] = {}


def control_server(settings: Settings) -> EmbeddedServer:
    from fleet.drivers.postgres.server import EmbeddedServer

    return EmbeddedServer(settings.data_dir, settings.run_dir)


async def open_store(settings: Settings) -> Store:
    """One connection pool per process, whoever asks first."""
    conninfo = settings.database_url or control_server(settings).conninfo
    task = _stores.get(conninfo)
    if task is None or (task.done() and (task.cancelled() or task.exception())):
        task = asyncio.create_task(_connect(conninfo))
        _stores[conninfo] = task
    return await asyncio.shield(task)


async def _connect(conninfo: str) -> Store:
    from fleet.drivers.postgres.store.store import PostgresStore

    return await PostgresStore.connect(conninfo)


def repositories(settings: Settings) -> Repositories:
    from fleet.drivers.git.repositories import GitRepositories

    return GitRepositories(settings.data_dir / "repositories")


def local_timelines(settings: Settings) -> Timelines:
    from fleet.drivers.postgres.timelines import LocalTimelines

    return LocalTimelines(settings.data_dir, settings.run_dir, settings.compute_idle_s)


def local_runtime(settings: Settings, git: Repositories, timelines: Timelines) -> Runtime:
    from fleet.drivers.bubblewrap.runtime import BubblewrapRuntime, Limits

    limits = Limits(
        memory_mib=settings.app_memory_mib,
        pids=settings.app_pids,
        start_timeout_s=settings.app_start_timeout_s,
    )
    return BubblewrapRuntime(settings.data_dir, settings.run_dir, git, timelines, limits)


def chat_model(settings: Settings) -> ChatModel:
    from fleet.drivers.openai.model import OpenAIChatModel

    return OpenAIChatModel(
        settings.model_base_url,
        settings.model_api_key,
        settings.model_timeout_s,
        settings.model_max_retries,
    )


def sql_judge() -> JudgeSql:
    from fleet.drivers.postgres.effect import judge_sql

    return judge_sql


def browser(settings: Settings) -> Browser:
    from fleet.drivers.chromium.browser import ChromiumBrowser

    return ChromiumBrowser(settings.chromium)


def gate(
    settings: Settings,
    store: Store,
    git: Repositories,
    world: tuple[Timelines, Runtime, Browser, Scaffold],
) -> Gate:
    from fleet.verification.gate import Gate
    from fleet.verification.stages import Patience

    timelines, runtime, browser_, scaffold = world
    return Gate(
        repositories=git,
        timelines=timelines,
        runtime=runtime,
        browser=browser_,
        store=store,
        scaffold=scaffold,
        artefacts_dir=settings.artefacts_dir,
        clock=clock(),
        patience=Patience(
            typescript_s=settings.typescript_timeout_s,
            contract_s=settings.contract_timeout_s,
            tests_s=settings.tests_timeout_s,
            browse_s=settings.browse_timeout_s,
            grace_s=settings.gate_grace_s,
        ),
    )


def memory_ground(start: datetime) -> Ground:
    """Drivers that keep nothing on disk, for a replay that begins at `start`."""
    from fleet.drivers.memory.clock import MemoryClock
    from fleet.drivers.memory.repositories import MemoryRepositories
    from fleet.drivers.memory.runtime import MemoryBrowser, MemoryRuntime
    from fleet.drivers.memory.store import MemoryStore
    from fleet.drivers.memory.timelines import MemoryTimelines
    from fleet.generation.replay import Ground

    still = MemoryClock(start)
    return Ground(
        store=MemoryStore(now=still.now),
        repositories=MemoryRepositories(),
        timelines=MemoryTimelines(),
        runtime=MemoryRuntime(),
        browser=MemoryBrowser(),
        clock=still,
    )


def clock() -> Clock:
    from fleet.drivers.system.clock import SystemClock

    return SystemClock()
