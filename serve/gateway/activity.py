"""Who views what: last request and open connections per app, reported as they change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from serve.gateway.route import AppHost, OnActivity, WorkloadActivity


class Activity:
    def __init__(self, report: OnActivity | None) -> None:
        self._report = report
        self._requests: Counter[AppHost] = Counter()
        self._sockets: Counter[AppHost] = Counter()

    @contextmanager
    def request(self, host: AppHost) -> Iterator[None]:
        with self._open(self._requests, host):
            yield

    @contextmanager
    def websocket(self, host: AppHost) -> Iterator[None]:
        with self._open(self._sockets, host):
            yield

    @contextmanager
    def _open(self, counter: Counter[AppHost], host: AppHost) -> Iterator[None]:
        counter[host] += 1
        self._tell(host)
        try:
            yield
        finally:
            counter[host] -= 1
            self._tell(host)
            if counter[host] == 0:
                del counter[host]

    def _tell(self, host: AppHost) -> None:
        if self._report is None:
            return
        self._report(
            WorkloadActivity(
                project=host.project,
                app=host.app,
                last_seen_at=datetime.now(UTC),
                open_requests=self._requests[host],
                open_sockets=self._sockets[host],
            )
        )
