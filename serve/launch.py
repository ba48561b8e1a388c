"""The platform's root process: `python -m serve.launch`, started by `appfleet up`.

It owns the control database, Ray, the actors, the Serve applications and the gateway; all of them
end with it. It reports its progress as JSON lines on stdout, for `appfleet up` to show.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import os
import signal
import socket
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import ray

import fleet
from actors.proxy import NAMESPACE
from fleet.assembly import control_server, open_store
from fleet.domain.token import hash_token, new_token
from fleet.errors import AppfleetError, SetupError
from fleet.installation import Installation
from fleet.settings import Settings, read_settings, unknown_variables

LOCAL_OWNER = "local"
READY_DEADLINE_S = 120.0
_OBJECT_STORE_BYTES = 100 * 2**20


def report(kind: str, **facts: object) -> None:
    """One line for whoever started us."""
    with contextlib.suppress(BrokenPipeError):  # a detached platform outlives who started it
        sys.stdout.write(json.dumps({"event": kind, **facts}) + "\n")
        sys.stdout.flush()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SetupError(
                f"Port {port} is already taken.",
                action="Choose another with --port, or stop what uses it.",
            ) from error


class Platform:
    def __init__(self, settings: Settings) -> None:
        self._installation = Installation(settings.data_dir)
        port = settings.port or free_port()
        self._internal_port = free_port()
        base_url = settings.model_base_url or f"http://127.0.0.1:{self._internal_port}/models/v1"
        self._settings = settings.model_copy(
            update={"port": port, "model_base_url": base_url, "data_dir": settings.data_dir}
        )
        self._handles: dict[str, Any] = {}
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        began = time.monotonic()
        settings = self._settings
        require_free_port(settings.port)
        self._installation.claim()
        self._stack.callback(self._installation.withdraw)

        def step(name: str) -> None:
            report("step", name=name, elapsed_s=round(time.monotonic() - began, 2))

        # Ray mostly waits for its own processes: the rest is made ready meanwhile.
        starting = asyncio.create_task(asyncio.to_thread(self._start_ray))
        try:
            await self._start_database()
            step("control database")
            applications = await asyncio.to_thread(importlib.import_module, "serve.applications")
        finally:
            dashboard = await starting
        step("ray")
        self._handles = await asyncio.to_thread(
            applications.start_applications, settings, self._internal_port
        )
        step("serve")
        async with asyncio.timeout(READY_DEADLINE_S):
            for name, handle in self._handles.items():
                await handle.ready.remote()
                step(name)
        facts = {
            "url": f"http://localhost:{settings.port}",
            "dashboard": f"http://{dashboard}" if dashboard else "",
            "pid": os.getpid(),
            "version": fleet.__version__,
        }
        self._installation.announce(facts)
        report("ready", **facts, elapsed_s=round(time.monotonic() - began, 2))

    async def _start_database(self) -> None:
        """The record, and in it the local owner with the token that the command will read."""
        settings = self._settings
        if not settings.database_url:
            server = control_server(settings)
            await asyncio.to_thread(server.start)
            self._stack.callback(server.stop)
        store = await open_store(settings)
        self._stack.push_async_callback(store.close)
        owner = await store.ensure_owner(LOCAL_OWNER)
        token = self._installation.token() or new_token()
        await store.add_token(owner.id, hash_token(token), "created by `appfleet up`")
        self._installation.keep_token(token)

    def _start_ray(self) -> str:
        options: dict[str, Any] = {
            "namespace": NAMESPACE,
            "log_to_driver": False,
            "logging_level": logging.WARNING,
        }
        if self._settings.ray_address:
            context = ray.init(address=self._settings.ray_address, **options)
        else:
            context = ray.init(
                include_dashboard=True,
                dashboard_host="127.0.0.1",
                dashboard_port=free_port(),
                object_store_memory=_OBJECT_STORE_BYTES,
                _node_ip_address="127.0.0.1",
                **options,
            )
            self._stack.callback(ray.shutdown)
        return str(context.dashboard_url or "")

    async def run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with self._stack:
            starting = asyncio.create_task(self.start())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
                await stopping
            starting.cancel()
            report("stopping")
        report("stopped")


def main() -> int:
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine
    for sentence in unknown_variables(os.environ):
        report("warning", message=sentence)
    try:
        asyncio.run(Platform(read_settings()).run())
    except AppfleetError as error:
        report("error", message=error.message, action=error.action, code=error.code)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(main())
