"""MemoryStore's owners, tokens, projects, their checkpoints and their inventory."""

from __future__ import annotations

from fleet.domain.event import EventKind, NewEvent
from fleet.domain.ids import CheckpointId, CommitId, OwnerId, ProjectId, new_id
from fleet.domain.lease import Lease
from fleet.domain.project import Owner, Project, ProjectState, Spec
from fleet.domain.record import project_moves, require_storable
from fleet.domain.resource import Resource, ResourceKind
from fleet.domain.timeline import Checkpoint
from fleet.drivers.memory.ground import MemoryGround
from fleet.drivers.memory.tables import found
from fleet.errors import Conflict


class MemoryProjects(MemoryGround):
    # Owners and tokens

    async def ensure_owner(self, name: str) -> Owner:
        require_storable(name, "owner's name")
        for owner in self._t.owners.values():
            if owner.name == name:
                return owner
        owner = Owner(id=OwnerId(new_id("own")), name=name)
        self._t.owners[owner.id] = owner
        return owner

    async def add_token(self, owner: OwnerId, token_hash: str, label: str) -> None:
        require_storable(label, "label")
        found(self._t.owners, owner, "owner")
        if self._t.tokens.setdefault(token_hash, owner) != owner:
            raise Conflict("That token belongs to another owner.")

    async def owner_of_token(self, token_hash: str) -> Owner | None:
        owner = self._t.tokens.get(token_hash)
        return None if owner is None else self._t.owners[owner]

    # Projects

    async def create_project(self, owner: OwnerId, project: ProjectId, title: str) -> Project:
        require_storable(title, "title")
        require_storable(project, "project id")
        if project in self._t.taken_ids:
            raise Conflict("That project id is taken.", action="Choose another.")
        found(self._t.owners, owner, "owner")
        created = Project(
            id=project,
            owner=owner,
            title=title,
            state=ProjectState.ACTIVE,
            spec=Spec(),
            head=None,
            created_at=self._now(),
        )
        self._t.taken_ids.add(project)
        self._t.projects[project] = created
        self._append(
            project, None, NewEvent(kind=EventKind.PROJECT_CREATED, payload={"title": title})
        )
        return created

    async def project(self, project: ProjectId) -> Project:
        return found(self._t.projects, project, "project")

    async def projects(self, owner: OwnerId | None = None) -> list[Project]:
        return [p for p in self._t.projects.values() if owner in (None, p.owner)]

    async def set_project_title(self, lease: Lease, project: ProjectId, title: str) -> None:
        require_storable(title, "title")
        self._set_project(lease, project, title=title)

    async def set_project_head(self, lease: Lease, project: ProjectId, head: CommitId) -> None:
        self._set_project(lease, project, head=head)

    async def set_project_spec(self, lease: Lease, project: ProjectId, spec: Spec) -> None:
        self._set_project(lease, project, spec=spec)

    def _set_project(self, lease: Lease, project: ProjectId, **update: object) -> None:
        self._fence(lease)
        current = found(self._t.projects, project, "project")
        self._t.projects[project] = current.model_copy(update=update)

    async def set_project_state(self, project: ProjectId, state: ProjectState) -> None:
        current = found(self._t.projects, project, "project")
        if project_moves(current.state, state):
            self._t.projects[project] = current.model_copy(update={"state": state})
            self._append(project, None, NewEvent(kind=EventKind.PROJECT_DELETED))

    async def forget_project(self, project: ProjectId) -> None:
        if any(r.project == project for r in self._t.resources.values()):
            raise Conflict("The project still has resources; remove them before it is forgotten.")
        self._t.forget(project)
        self._announce()

    async def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        require_storable(checkpoint.id + checkpoint.reason, "checkpoint")
        found(self._t.projects, checkpoint.project, "project")
        self._t.checkpoints.setdefault(checkpoint.id, checkpoint)

    async def checkpoints(self, project: ProjectId) -> list[Checkpoint]:
        found(self._t.projects, project, "project")
        return [c for c in self._t.checkpoints.values() if c.project == project]

    async def drop_checkpoint(self, checkpoint: CheckpointId) -> None:
        self._t.checkpoints.pop(checkpoint, None)

    # Inventory

    async def register_resource(
        self, project: ProjectId, kind: ResourceKind, name: str, scope: str
    ) -> None:
        require_storable(name + scope, "resource's name")
        known = self._t.resources.get((kind, name))
        if known is not None and known.project != project:
            raise Conflict(f"The {kind} {name} belongs to another project.")
        found(self._t.projects, project, "project")
        created_at = known.created_at if known else self._now()
        self._t.resources[kind, name] = Resource(
            project=project, kind=kind, name=name, scope=scope, created_at=created_at
        )

    async def drop_resource(self, kind: ResourceKind, name: str) -> None:
        self._t.resources.pop((kind, name), None)

    async def resources(
        self, project: ProjectId | None = None, scope: str | None = None
    ) -> list[Resource]:
        return [
            r
            for r in self._t.resources.values()
            if project in (None, r.project) and scope in (None, r.scope)
        ]
