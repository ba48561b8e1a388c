"""The HTTP API as the command sees it: finds the platform, retries while it heals, reads events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx

from fleet.errors import (
    AppfleetError,
    InfrastructureError,
    InvalidInput,
    SetupError,
    UserError,
)
from fleet.installation import Installation
from fleet.settings import default_data_dir

# A killed gateway or API replica is back within seconds; a command outlives that.
HEAL_DEADLINE_S = 60.0
_RETRY_DELAY_S = 0.5
_REQUEST_TIMEOUT_S = 60.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Address:
    url: str
    token: str


def find_platform(url: str | None, token: str | None, data_dir: Path | None) -> Address:
    """Explicit first; else what the platform on the data directory announced."""
    directory = data_dir or default_data_dir()
    installation = Installation(directory)
    if url is None:
        announced = installation.address()
        if announced is None:
            raise SetupError(
                f"No platform runs on {directory}.",
                action="Start one with `appfleet up --detach`, or point --url at one.",
            )
        url = str(announced["url"])
    if not url.startswith(("http://", "https://")):
        raise InvalidInput(f"{url!r} is not an address.", action="Write it like http://host:7700")
    found = token or _readable_token(installation)
    if found is None:
        raise SetupError("No token for the platform.", action="Pass --token or set APPFLEET_TOKEN.")
    return Address(url=url.rstrip("/"), token=found)


def _readable_token(installation: Installation) -> str | None:
    try:
        return installation.token()
    except PermissionError as error:
        raise SetupError(
            f"The token in {installation.data_dir} belongs to another user.",
            action="Ask its owner for a token of your own and pass it with --token.",
        ) from error


class ApiError(AppfleetError):
    """What the API answered, with the exit code its status stands for."""

    def __init__(self, status: int, message: str, action: str, code: str) -> None:
        super().__init__(message, action=action)
        self.status = status
        self.code = code
        self.exit_code = UserError.exit_code if status < 500 else InfrastructureError.exit_code


class Client:
    def __init__(self, address: Address) -> None:
        self.url = address.url
        self._http = httpx.Client(
            base_url=address.url,
            headers={"Authorization": f"Bearer {address.token}"},
            timeout=_REQUEST_TIMEOUT_S,
        )

    def get(self, path: str, **query: str | int) -> Any:
        return self._request("GET", path, query=query, repeat=True)

    def post(self, path: str, body: Json, *, repeat: bool = False) -> Any:
        """`repeat` only where doing it twice does no harm; else only refused connections are."""
        return self._request("POST", path, body=body, repeat=repeat)

    def delete(self, path: str) -> Any:
        return self._request("DELETE", path, repeat=True)

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str | int] | None = None,
        body: Json | None = None,
        repeat: bool,
    ) -> Any:
        give_up_at = time.monotonic() + HEAL_DEADLINE_S
        while True:
            try:
                response = self._http.request(method, path, params=query, json=body)
            except httpx.ConnectError as error:
                failure: AppfleetError = _unreachable(self.url, error)
            except httpx.TransportError as error:
                if not repeat:
                    raise _unreachable(self.url, error) from error
                failure = _unreachable(self.url, error)
            else:
                if response.status_code < 500 or not repeat:
                    return _body(response)
                failure = _api_error(response)
            if time.monotonic() > give_up_at:
                raise failure
            time.sleep(_RETRY_DELAY_S)

    def events(self, project: str, until_build: str, after: int = 0) -> Iterator[Json]:
        """Events in order, each once, over reconnections, until the build has finished."""
        give_up_at = time.monotonic() + HEAL_DEADLINE_S
        while True:
            try:
                for event in self._stream(project, until_build, after):
                    after = int(event["number"])
                    give_up_at = time.monotonic() + HEAL_DEADLINE_S
                    yield event
                    if event["kind"] == "build.finished" and event["build"] == until_build:
                        return
            except httpx.TransportError as error:
                if time.monotonic() > give_up_at:
                    raise _unreachable(self.url, error) from error
            except ApiError as error:
                if error.status < 500 or time.monotonic() > give_up_at:
                    raise
            time.sleep(_RETRY_DELAY_S)

    def _stream(self, project: str, until_build: str, after: int) -> Iterator[Json]:
        with self._http.stream(
            "GET",
            f"/v1/projects/{project}/events",
            params={"until_build": until_build},
            headers={"Last-Event-ID": str(after), "Accept": "text/event-stream"},
        ) as response:
            if response.status_code != 200:
                response.read()
                raise _api_error(response)
            for line in response.iter_lines():
                if line.startswith("data:"):
                    yield cast("Json", json.loads(line[5:]))


def _unreachable(url: str, error: httpx.TransportError) -> InfrastructureError:
    return InfrastructureError(
        f"The platform at {url} does not answer ({type(error).__name__}).",
        action="Is it running? `appfleet up --detach` starts it; its log is in the data directory.",
    )


def _body(response: httpx.Response) -> Any:
    if response.status_code >= 400:
        raise _api_error(response)
    if response.status_code == 204 or not response.content:
        return None
    if response.headers.get("content-type", "").startswith("application/json"):
        return response.json()
    return response.text


def _api_error(response: httpx.Response) -> ApiError:
    try:
        error = response.json()["error"]
        return ApiError(
            response.status_code, error["message"], error.get("action", ""), error["code"]
        )
    except (ValueError, KeyError, TypeError):
        return ApiError(
            response.status_code,
            f"The platform answered {response.status_code}.",
            "Look at its log in the data directory.",
            "unexpected",
        )
