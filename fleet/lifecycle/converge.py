"""Makes a project's dev environment real at a commit: the one chokepoint, and it fails closed.

Level-triggered: it may be called again at any time, by anyone who holds the lease, and a second
call with the same commit changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import ValidationError

from fleet.domain.ids import (
    CommitId,
    ProjectId,
    dev_endpoint,
    dev_timeline,
    dev_workload,
)
from fleet.domain.lease import Lease
from fleet.domain.project import SPEC_PATH, AppSpec, Spec
from fleet.domain.resource import ResourceKind
from fleet.domain.timeline import Migration
from fleet.domain.workload import Purpose, Workload
from fleet.errors import InvalidInput, NotFound
from fleet.lifecycle.world import World

MIGRATIONS_FOLDER = "db/migrations/"
PROJECT_SCOPE = "project"


def parse_spec(text: str) -> Spec:
    """Raises InvalidInput with the first thing that is wrong."""
    try:
        return Spec.model_validate(json.loads(text))
    except (ValidationError, ValueError) as error:
        raise InvalidInput(
            f"{SPEC_PATH} is not a valid spec: {error}",
            action="Ask for the last change to it to be undone.",
        ) from error


def dev_workload_of(project: ProjectId, app: AppSpec, commit: CommitId) -> Workload:
    return Workload(
        id=dev_workload(project, app.slug),
        project=project,
        app=app.slug,
        app_path=app.path,
        purpose=Purpose.DEV,
        commit=commit,
        endpoint=dev_endpoint(project),
    )


@dataclass(frozen=True)
class DevConverge:
    """Dev's database exists, is migrated to `commit`, and every app of the spec runs there."""

    world: World

    async def __call__(self, lease: Lease, project: ProjectId, commit: CommitId) -> None:
        spec = await self._spec(project, commit)
        await self.ensure_database(project)
        scripts = await self.world.repositories.read_all(project, commit, MIGRATIONS_FOLDER)
        migrations = [
            Migration(path=path, sql=text)
            for path, text in sorted(scripts.items())
            if path.endswith(".sql")
        ]
        await self.world.timelines.migrate(dev_endpoint(project), migrations)
        recorded = await self.world.store.project(project)
        if recorded.spec != spec:
            await self.world.store.set_project_spec(lease, project, spec)
        for app in spec.apps:
            workload = dev_workload_of(project, app, commit)
            await self.world.store.register_resource(
                project, ResourceKind.WORKLOAD, workload.id, PROJECT_SCOPE
            )
            await self.world.runtime.start(workload)
        await self._remove_undeclared(project, spec)

    async def ensure_database(self, project: ProjectId) -> None:
        """An empty timeline and its endpoint; present ones are left as they are."""
        timeline, endpoint = dev_timeline(project), dev_endpoint(project)
        world = self.world
        try:
            await world.timelines.endpoint(endpoint)
        except NotFound:
            register = world.store.register_resource
            await register(project, ResourceKind.TIMELINE, timeline, PROJECT_SCOPE)
            await register(project, ResourceKind.ENDPOINT, endpoint, PROJECT_SCOPE)
            if timeline not in await world.timelines.timelines():
                await world.timelines.create(timeline)
            await world.timelines.point(endpoint, timeline)

    async def _spec(self, project: ProjectId, commit: CommitId) -> Spec:
        try:
            return parse_spec(await self.world.repositories.read(project, commit, SPEC_PATH))
        except NotFound:
            return Spec()

    async def _remove_undeclared(self, project: ProjectId, spec: Spec) -> None:
        declared = {str(dev_workload(project, app.slug)) for app in spec.apps}
        for resource in await self.world.store.resources(project, scope=PROJECT_SCOPE):
            if resource.kind is ResourceKind.WORKLOAD and resource.name not in declared:
                await self.world.remove(resource)
