"""One tRPC call over an app's unix socket, as a browser would make it."""

from __future__ import annotations

import http.client
import json
import socket
from urllib.parse import quote

from pydantic import JsonValue

from fleet.domain.plan import ProcedureKind
from fleet.errors import WorkloadCrashed

TIMEOUT_S = 20.0
MAX_BODY_BYTES = 200_000


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


def call(path: str, name: str, kind: ProcedureKind, value: JsonValue) -> str:
    """Status line and body. Blocking: run it in a thread."""
    text = json.dumps(value)
    connection = _UnixConnection(path)
    try:
        if kind is ProcedureKind.QUERY:
            query = "" if value is None else f"?input={quote(text)}"
            connection.request("GET", f"/trpc/{quote(name)}{query}")
        else:
            body = None if value is None else text
            headers = {"content-type": "application/json"}
            connection.request("POST", f"/trpc/{quote(name)}", body, headers)
        response = connection.getresponse()
        answer = response.read(MAX_BODY_BYTES).decode(errors="replace")
        return f"HTTP {response.status}\n{answer}"
    except (OSError, http.client.HTTPException) as error:
        raise WorkloadCrashed(
            f"The app did not answer {name}: {error}.", action="See read_logs."
        ) from error
    finally:
        connection.close()
