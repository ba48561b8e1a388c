"""What the tools did during a turn, as typed records; the step takes them when it ends."""

from __future__ import annotations

from fleet.domain.progress import CheckRun, ScopeExit, SqlRun, StepNotes, stamp


class Notes:
    """One per task. A tool adds, the producer takes; what nobody took belongs to no step."""

    def __init__(self) -> None:
        self._notes = StepNotes()

    def take(self) -> StepNotes:
        """Everything since it was last asked."""
        taken, self._notes = self._notes, StepNotes()
        return taken

    def confirmed(self, path: str, text: str) -> None:
        self._add(StepNotes(confirmed=(stamp(path, text),)))

    def sql(self, run: SqlRun) -> None:
        self._add(StepNotes(sql=(run,)))

    def check(self, run: CheckRun) -> None:
        self._add(StepNotes(checks=(run,)))

    def decision(self, text: str) -> None:
        self._add(StepNotes(decisions=(text,)))

    def scope_exit(self, path: str, reason: str) -> None:
        self._add(StepNotes(scope_exits=(ScopeExit(path=path, reason=reason),)))

    def checkpoint(self, name: str) -> None:
        self._add(StepNotes(checkpoints=(name,)))

    def package(self, change: str) -> None:
        self._add(StepNotes(packages=(change,)))

    def _add(self, new: StepNotes) -> None:
        old = self._notes
        self._notes = StepNotes(
            confirmed=old.confirmed + new.confirmed,
            sql=old.sql + new.sql,
            checks=old.checks + new.checks,
            decisions=old.decisions + new.decisions,
            scope_exits=old.scope_exits + new.scope_exits,
            checkpoints=old.checkpoints + new.checkpoints,
            packages=old.packages + new.packages,
        )
