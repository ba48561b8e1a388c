"""Prometheus figures of the API and, at scrape time, of the record behind it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as CounterMetric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.domain.build import BuildState
from fleet.ports import Spending, Store, Totals


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
        self.record = _Record()
        self.registry.register(self.record)

    async def render(self, store: Store) -> bytes:
        self.record.totals = await store.totals()
        return generate_latest(self.registry)


class _Record(Collector):
    """The record's totals as of the scrape; the same on every replica."""

    totals = Totals(projects=0, builds={}, spent=Spending())

    def collect(self) -> Iterable[Metric]:
        totals, usage = self.totals, self.totals.spent.usage
        yield GaugeMetricFamily("appfleet_projects", "Projects.", value=totals.projects)
        builds = GaugeMetricFamily("appfleet_builds", "Builds by state.", labels=("state",))
        for state in BuildState:
            builds.add_metric((state.value,), totals.builds.get(state, 0))
        yield builds
        yield CounterMetricFamily(
            "appfleet_steps", "Steps of builds finished.", value=totals.spent.steps
        )
        tokens = CounterMetricFamily(
            "appfleet_tokens",
            "Tokens of models; repeated ones are part of the prompt's.",
            labels=("kind",),
        )
        tokens.add_metric(("prompt",), usage.prompt_tokens)
        tokens.add_metric(("repeated",), usage.repeated_tokens)
        tokens.add_metric(("completion",), usage.completion_tokens)
        yield tokens
        yield CounterMetricFamily(
            "appfleet_cost_usd", "Cost by the settings' prices.", value=usage.cost_microusd / 1e6
        )


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
