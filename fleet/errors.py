"""The error tree. Every error a user can cause says what to do next.

AppfleetError
├── UserError              the caller can mend it            HTTP 4xx, exit 2
│   ├── InvalidInput       400
│   ├── Unauthenticated    401
│   ├── NotFound           404
│   ├── Conflict           409
│   └── TooLarge           413
├── SetupError             the operator can mend it          HTTP 503, exit 3
├── InfrastructureError    nobody's app is at fault: retried elsewhere, HTTP 503, exit 4
│   └── ModelError         a model endpoint is down, slow, limited or incoherent, HTTP 502, exit 4
├── AppError               the built app is at fault: evidence for the producer
│   ├── WorkloadCrashed    its process ended, or never became ready
│   ├── SqlFailed          Postgres refused the statement
│   └── MigrationFailed
└── LeaseLost              a successor holds the lease: stop writing at once
"""

from __future__ import annotations

_SHORT_CHARS = 300


class AppfleetError(Exception):
    """Root of the tree.

    `message` is for a person; `action` is the one thing to do next, possibly empty.
    """

    http_status = 500
    exit_code = 1
    code = "internal"

    def __init__(self, message: str, *, action: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.action = action

    def __str__(self) -> str:
        return f"{self.message} {self.action}".rstrip()

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross Ray actors by pickle; keyword arguments do not survive the default.
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))


def _rebuild(kind: type[AppfleetError], message: str, state: dict[str, object]) -> AppfleetError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class UserError(AppfleetError):
    http_status = 400
    exit_code = 2
    code = "invalid"


class InvalidInput(UserError):
    code = "invalid_input"


class Unauthenticated(UserError):
    http_status = 401
    code = "unauthenticated"


class NotFound(UserError):
    http_status = 404
    code = "not_found"


class Conflict(UserError):
    http_status = 409
    code = "conflict"


class TooLarge(UserError):
    http_status = 413
    code = "too_large"


class SetupError(AppfleetError):
    http_status = 503
    exit_code = 3
    code = "setup"


class InfrastructureError(AppfleetError):
    http_status = 503
    exit_code = 4
    code = "infrastructure"


class ModelError(InfrastructureError):
    """`retryable` is False when asking again cannot help (unknown model, bad key)."""

    http_status = 502
    code = "model"

    def __init__(self, message: str, *, action: str = "", retryable: bool = True) -> None:
        super().__init__(message, action=action)
        self.retryable = retryable


class AppError(AppfleetError):
    http_status = 422
    exit_code = 1
    code = "app"


class WorkloadCrashed(AppError):
    """`log` holds the last lines the process wrote."""

    code = "workload_crashed"

    def __init__(self, message: str, *, log: str = "", action: str = "") -> None:
        super().__init__(message, action=action)
        self.log = log


class SqlFailed(AppError):
    """`sqlstate` is Postgres's five-character code."""

    code = "sql_failed"

    def __init__(self, message: str, *, sqlstate: str = "", action: str = "") -> None:
        super().__init__(message, action=action)
        self.sqlstate = sqlstate


class MigrationFailed(AppError):
    """`path` is the migration file, `line` the line in it (1-based, 0 unknown)."""

    code = "migration_failed"

    def __init__(self, message: str, *, path: str, line: int = 0, action: str = "") -> None:
        super().__init__(message, action=action)
        self.path = path
        self.line = line


class LeaseLost(AppfleetError):
    http_status = 409
    code = "lease_lost"


def in_short(error: Exception) -> str:
    """One line for people: a library's error may bring its whole log. That belongs in ours."""
    what = error.message if isinstance(error, AppfleetError) else str(error)
    first = next((line.strip() for line in what.splitlines() if line.strip()), "")
    told = (first or type(error).__name__)[: _SHORT_CHARS + 1]
    if len(told) > _SHORT_CHARS:
        told = f"{told[: _SHORT_CHARS - 1]}…"
    action = error.action if isinstance(error, AppfleetError) else ""
    return f"{told} {action[:_SHORT_CHARS]}".rstrip()
