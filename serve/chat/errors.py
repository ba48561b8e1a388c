"""The one place where errors become HTTP: `{"error": {"code", "message", "action"}}`."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from fleet.domain.frozen import Frozen
from fleet.errors import AppfleetError, InvalidInput, NotFound, Unauthenticated

_REFERENCE = "GET /openapi.json lists every path and what it takes."
_WORDS = {"extra_forbidden": "there is no such field", "missing": "this field is required"}
_MAX_PATH_CHARS = 200
log = structlog.get_logger(__name__)


class ErrorDetail(Frozen):
    """`action` is the one thing to do next, possibly empty."""

    code: str
    message: str
    action: str = ""


class ErrorBody(Frozen):
    error: ErrorDetail


def error_response(error: AppfleetError) -> JSONResponse:
    detail = ErrorDetail(code=error.code, message=error.message, action=error.action)
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else None
    return JSONResponse(ErrorBody(error=detail).model_dump(), error.http_status, headers)


def _from_validation(error: RequestValidationError) -> AppfleetError:
    problems = []
    for found in error.errors()[:5]:
        if found["type"] == "json_invalid":
            return InvalidInput("The request body is not valid JSON.", action="Send a JSON object.")
        if tuple(found["loc"]) == ("body",):
            return InvalidInput(
                "The request body is missing or is not a JSON object.",
                action="Send a JSON object with the header Content-Type: application/json.",
            )
        place = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
        problem = _WORDS.get(found["type"], found["msg"])
        problems.append(f"{place}: {problem}")
    return InvalidInput("; ".join(problems), action=_REFERENCE)


def _from_http(error: HTTPException, request: Request) -> JSONResponse:
    path = request.url.path[:_MAX_PATH_CHARS]
    if error.status_code == 404:
        return error_response(NotFound(f"There is nothing at {path}.", action=_REFERENCE))
    if error.status_code == 400:  # the framework could not decode the body
        return error_response(
            InvalidInput(
                "The request body cannot be read: it is not JSON in UTF-8.",
                action="Send a JSON object, encoded as UTF-8.",
            )
        )
    headers = dict(error.headers or {})
    if error.status_code == 405:
        allowed = ", ".join(_methods_at(request)) or headers.get("Allow") or "GET, HEAD"
        headers["Allow"] = allowed
        detail = ErrorDetail(
            code="method_not_allowed",
            message=f"{request.method} is not possible at {path}.",
            action=f"Possible there: {allowed}. {_REFERENCE}",
        )
    else:
        detail = ErrorDetail(
            code=f"http_{error.status_code}", message=str(error.detail), action=_REFERENCE
        )
    body = ErrorBody(error=detail).model_dump()
    return JSONResponse(body, error.status_code, headers)


def _methods_at(request: Request) -> list[str]:
    """Of every route at this path; the framework names only those of the first."""
    methods = {
        method
        for path, operations in request.app.openapi()["paths"].items()
        if compile_path(path)[0].match(request.url.path)
        for method in operations
    }
    return sorted(method.upper() for method in methods)


def install_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(AppfleetError)
    async def known(request: Request, error: AppfleetError) -> JSONResponse:
        if error.http_status >= 500:
            log.warning("request failed", path=request.url.path, code=error.code, error=str(error))
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(_from_validation(error))

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> JSONResponse:
        return _from_http(error, request)

    @app.exception_handler(Exception)  # the outermost loop of a request
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("request broke", path=request.url.path, exc_info=error)
        return error_response(
            AppfleetError(
                "Something went wrong inside the platform.",
                action="Try again; the platform's log says what happened.",
            )
        )
