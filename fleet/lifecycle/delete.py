"""Deletion is total, because the inventory is: whatever was created outside has a row."""

from __future__ import annotations

from datetime import timedelta

from fleet.domain.build import FINAL_BUILD_STATES, BuildState
from fleet.domain.ids import ProjectId
from fleet.domain.project import ProjectState
from fleet.lifecycle.world import World

_TTL = timedelta(seconds=60)


async def delete_project(world: World, project: ProjectId, holder: str) -> bool:
    """Removes everything of a project. True when it is gone, False while a build still holds it.

    May be killed between any two lines: the state DELETING and the rows left make the next sweep
    finish. A running build loses its lease by expiry at the latest, and is cancelled then.
    """
    await world.store.set_project_state(project, ProjectState.DELETING)
    for build in await world.store.builds(project):
        if build.state in FINAL_BUILD_STATES:
            continue
        lease = await world.store.acquire_lease(f"build:{build.id}", holder, _TTL)
        if lease is None:
            return False
        await world.store.advance_build(
            lease, build.id, BuildState.CANCELLED, "The project was deleted."
        )
        await world.store.release_lease(lease)
    await world.remove_all(await world.store.resources(project))
    await world.store.forget_project(project)
    return True
