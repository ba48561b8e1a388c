"""Tools that add and remove npm packages: resolved and vetted by the runtime, then installed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from fleet.domain.workload import PackageChange, PackageManifest
from fleet.errors import InfrastructureError, InvalidInput, NotFound, WorkloadCrashed
from fleet.generation.tools.tool import Arguments, Tool, bounded
from fleet.generation.tools.workbench import Workbench

INSTALL_TIMEOUT_S = 240.0
_MAX_LOG_CHARS = 2_000
_MAX_IMPORTERS = 10
_GROUPS = ("dependencies", "devDependencies", "optionalDependencies")


class AddPackage(Arguments):
    names: list[str] = Field(
        min_length=1, max_length=5, description='"zod" for the newest, or "zod@4.1.0".'
    )
    dev: bool = Field(default=False, description="Only for tests and types.")


class RemovePackage(Arguments):
    names: list[str] = Field(min_length=1, max_length=5)


def package_tools(bench: Workbench) -> list[Tool[Any]]:
    async def add_package(arguments: AddPackage) -> str:
        return await _change(bench, PackageChange(add=tuple(arguments.names), dev=arguments.dev))

    async def remove_package(arguments: RemovePackage) -> str:
        told = await _change(bench, PackageChange(remove=tuple(arguments.names)))
        importers = await _importers(bench, arguments.names)
        return told + (f" Still imported in: {', '.join(importers)}." if importers else "")

    return [
        Tool(
            "add_package",
            "Add npm packages; package.json and the lock file are changed and all is installed.",
            AddPackage,
            add_package,
        ),
        Tool("remove_package", "Remove npm packages.", RemovePackage, remove_package),
    ]


async def _change(bench: Workbench, change: PackageChange) -> str:
    """Both files are as before unless everything could be installed."""
    workspace = bench.workspace
    package, lock = (_in_app(bench, n) for n in ("package.json", "package-lock.json"))
    before = PackageManifest(package=await workspace.read(package), lock=await _text(bench, lock))
    after = await bench.runtime.change_packages(before, change)
    changes = differences(before, after)
    if not changes:
        return "Nothing changed: it is so already."
    mark = workspace.mark()
    await workspace.put(package, after.package)
    await workspace.put(lock, after.lock)
    installed = False
    try:
        async with asyncio.timeout(INSTALL_TIMEOUT_S):
            await bench.twin.prepare(workspace, bench.now())
        installed = True
    except TimeoutError as error:
        raise InfrastructureError(
            f"They were not installed within {INSTALL_TIMEOUT_S:.0f} s."
        ) from error
    except WorkloadCrashed as crash:
        raise InvalidInput(
            f"They cannot be installed: {crash.message} {crash.log[-_MAX_LOG_CHARS:]}",
            action="Nothing was changed. Try other versions, or go on without them.",
        ) from crash
    finally:
        if not installed:
            workspace.back_to(mark)
    for line in changes:
        bench.notes.package(line)
    return bounded(f"Changed: {', '.join(changes)}.", 2_000)


def differences(before: PackageManifest, after: PackageManifest) -> list[str]:
    """ "+zod@4.1.0" for what came or changed, "-zod" for what went."""
    old, new = _declared(before.package), _declared(after.package)
    came = [f"+{name}@{version}" for name, version in new.items() if old.get(name) != version]
    return came + [f"-{name}" for name in old if name not in new]


def _declared(package: str) -> Mapping[str, str]:
    try:
        parsed = json.loads(package)
    except ValueError:
        return {}
    groups = (parsed.get(g) for g in _GROUPS) if isinstance(parsed, dict) else ()
    return {str(n): str(v) for g in groups if isinstance(g, dict) for n, v in g.items()}


async def _importers(bench: Workbench, names: list[str]) -> list[str]:
    any_of = "|".join(re.escape(name) for name in names)
    imported = re.compile(rf"""(?:from|import|require\()\s*["'](?:{any_of})(?:/[^"'\n]*)?["']""")
    texts = await bench.workspace.text_files("")
    found = [p for p, t in texts.items() if p.endswith((".ts", ".tsx")) and imported.search(t)]
    return found[:_MAX_IMPORTERS]


async def _text(bench: Workbench, path: str) -> str:
    try:
        return await bench.workspace.read(path)
    except NotFound:
        return ""


def _in_app(bench: Workbench, name: str) -> str:
    return name if bench.app.path == "." else f"{bench.app.path}/{name}"
