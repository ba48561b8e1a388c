"""The one place where errors become HTTP: `{"error": {"code", "message", "action"}}`."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from fleet.domain.frozen import Frozen
from fleet.errors import AppfleetError, InvalidInput, NotFound, Unauthenticated

_REFERENCE = "/openapi.json"
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
        place = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
        problems.append(f"{place}: {found['msg']}")
    return InvalidInput(
        "; ".join(problems), action="See /openapi.json for the shape of this request."
    )


def _from_http(error: HTTPException, request: Request) -> JSONResponse:
    if error.status_code == 404:
        return error_response(
            NotFound(
                f"There is nothing at {request.url.path}.",
                action=f"The paths: {_REFERENCE}.",
            )
        )
    detail = ErrorDetail(code=f"http_{error.status_code}", message=str(error.detail))
    body = ErrorBody(error=detail).model_dump()
    return JSONResponse(body, error.status_code, dict(error.headers or {}))


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
