"""Numbered facts about a project, in order, for people watching. Append-only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue

from fleet.domain.frozen import Frozen
from fleet.domain.ids import BuildId, ProjectId


class EventKind(StrEnum):
    PROJECT_CREATED = "project.created"
    PROJECT_DELETED = "project.deleted"
    MESSAGE_POSTED = "message.posted"  # text, message
    BUILD_QUEUED = "build.queued"
    BUILD_STARTED = "build.started"  # holder, resumed
    BUILD_REQUEUED = "build.requeued"  # reason
    PLAN_READY = "plan.ready"  # title, summary, tasks, procedures, tables, pages
    TASK_STARTED = "task.started"  # task, title, position, of
    # number, title, elapsed_s, `Usage.told()`; total: steps and the same of the build so far
    STEP_FINISHED = "step.finished"
    GATE_STARTED = "gate.started"  # task, attempt, commit
    CHECK_FINISHED = "check.finished"  # check, outcome, elapsed_s, note, findings
    GATE_FINISHED = "gate.finished"  # task, attempt, green, elapsed_s
    TASK_REOPENED = "task.reopened"  # task, attempt, findings
    TASK_DONE = "task.done"  # task
    TASK_FAILED = "task.failed"  # task, reason
    APP_READY = "app.ready"  # slug, preview_url, commit
    BUILD_FINISHED = "build.finished"  # state, explanation, elapsed_s, `Usage.told()`
    NOTICE = "notice"  # text: a retry, a budget warning
    BUILD_CONTINUED = "build.continued"  # steps, tasks_done
    CONTEXT_COMPACTED = "context.compacted"  # task, steps, by ("model" or "rule"), why
    SCOPE_LEFT = "scope.left"  # task, path, reason
    CHECKPOINT_TAKEN = "checkpoint.taken"  # checkpoint, commit, reason
    PACKAGES_CHANGED = "packages.changed"  # task, packages
    # Anti-spiral, one per rule: task, level ("message", "forced", "fresh", "failed"), text
    SPIRAL_SAME_CALL = "spiral.same_call"
    SPIRAL_NO_EDIT = "spiral.no_edit"
    SPIRAL_ALTERNATING = "spiral.alternating"
    SPIRAL_REWRITES = "spiral.rewrites"
    SPIRAL_SAME_EVIDENCE = "spiral.same_evidence"
    SPIRAL_NO_PROGRESS = "spiral.no_progress"
    SPIRAL_NO_TOOL = "spiral.no_tool"
    SPIRAL_OVERSIZED = "spiral.oversized"


class Event(Frozen):
    """`number` counts from 1 within the project, without gaps."""

    number: int
    project: ProjectId
    build: BuildId | None
    kind: EventKind
    payload: dict[str, JsonValue]
    at: datetime


class NewEvent(Frozen):
    kind: EventKind
    payload: dict[str, JsonValue] = {}
