"""Prometheus figures of the API and, at scrape time, of the record behind it."""

from __future__ import annotations

import time
from collections import Counter

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as CounterMetric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.domain.build import BuildState
from fleet.ports import Store


class ChatMetrics:
    """One registry per app, so that several apps in one process never collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = CounterMetric(
            "appfleet_http_requests", "Requests answered.", labels, registry=self.registry
        )
        self.latency = Histogram(
            "appfleet_http_first_byte_seconds",
            "From request to response head.",
            ("method", "route"),
            registry=self.registry,
        )
        self.events = CounterMetric(
            "appfleet_events_streamed", "Events sent to watchers.", registry=self.registry
        )
        self.watchers = Gauge(
            "appfleet_event_streams", "Event streams open now.", registry=self.registry
        )
        self.builds = Gauge(
            "appfleet_builds", "Builds by state.", ("state",), registry=self.registry
        )
        self.projects = Gauge("appfleet_projects", "Projects.", registry=self.registry)

    async def render(self, store: Store) -> bytes:
        projects = await store.projects()
        states: Counter[BuildState] = Counter()
        for project in projects:
            states.update(build.state for build in await store.builds(project.id))
        self.projects.set(len(projects))
        for state in BuildState:
            self.builds.labels(state.value).set(states[state])
        return generate_latest(self.registry)


class CountRequests:
    def __init__(self, app: ASGIApp, metrics: ChatMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The route's template, never the path: label values must stay few.
                route = getattr(scope.get("route"), "path", "unmatched")
                method = scope["method"]
                self._metrics.requests.labels(method, route, message["status"]).inc()
                self._metrics.latency.labels(method, route).observe(time.monotonic() - started)
            await send(message)

        await self._app(scope, receive, counted)
