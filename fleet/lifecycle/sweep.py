"""Level-triggered repair: compare what is recorded with what is there, mend the difference.

Idempotent: a second sweep right after the first changes nothing. Its cost follows what is in
flux (unfinished builds, throwaways, projects being deleted), not how many projects exist.
"""

from __future__ import annotations

from datetime import timedelta

from fleet.domain.build import FINAL_BUILD_STATES
from fleet.domain.frozen import Frozen
from fleet.domain.ids import BuildId
from fleet.domain.project import ProjectState
from fleet.domain.resource import Resource
from fleet.errors import NotFound
from fleet.lifecycle.delete import delete_project
from fleet.lifecycle.world import World

_REMOVAL_TTL = timedelta(seconds=120)


class SweepReport(Frozen):
    """What one sweep changed; both empty means that there was nothing to mend."""

    deleted_projects: tuple[str, ...] = ()
    removed_resources: tuple[str, ...] = ()


def owning_build(resource: Resource) -> BuildId | None:
    """The build a throwaway belongs to ("build:bld_x", "run:bld_x.1.2"); None: the project's."""
    kind, _, rest = resource.scope.partition(":")
    if kind not in {"build", "run"} or not rest:
        return None
    return BuildId(rest.split(".", 1)[0])


async def sweep(world: World, holder: str) -> SweepReport:
    deleted = []
    for project in await world.store.projects():
        if project.state is ProjectState.DELETING and await delete_project(
            world, project.id, holder
        ):
            deleted.append(str(project.id))
    removed = []
    for resource in await world.store.resources():
        build = owning_build(resource)
        if build is not None and await _remove_if_over(world, resource, build, holder):
            removed.append(f"{resource.kind} {resource.name}")
    return SweepReport(deleted_projects=tuple(deleted), removed_resources=tuple(removed))


async def _remove_if_over(world: World, resource: Resource, build: BuildId, holder: str) -> bool:
    """A throwaway is rubbish when nobody works on its build any more."""
    if not await _is_final(world, build):
        return False
    # A final state is written before the teardown: while the worker's lease lives it tidies itself.
    # Held while removing, so that nobody continues the build below our hands.
    lease = await world.store.acquire_lease(f"build:{build}", holder, _REMOVAL_TTL)
    if lease is None:
        return False
    try:
        if not await _is_final(world, build):
            return False
        await world.remove(resource)
        return True
    finally:
        await world.store.release_lease(lease)


async def _is_final(world: World, build: BuildId) -> bool:
    try:
        return (await world.store.build(build)).state in FINAL_BUILD_STATES
    except NotFound:
        return True
