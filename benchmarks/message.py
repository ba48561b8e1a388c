"""From message to verified, running app: whole, and split by phase from the project's events."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime
from typing import Any

from benchmarks.figure import Figure
from benchmarks.running import Running

MESSAGES = (
    "A CRM: customers with name, email and phone; deals with title, amount and stage (lead, won)",
    "Track books: title, author, year, and whether I have read them",
    "Expenses with description, amount, date and category (food, travel, rent)",
    "a pomodoro timer",
    "A booking system: rooms with capacity, bookings with room, guest name, start and end date",
)
TEN_PROCEDURES = "Track customers: name and email; and orders: number, date, total and a customer"
IDLE_S = 20.0


def measure_messages(platform: Running) -> list[Figure]:
    totals: list[float] = []
    phases: dict[str, list[float]] = defaultdict(list)
    gates: list[float] = []
    platform.new("notes with a title and a text")  # fills the package store, once a machine
    for message in MESSAGES:
        started = time.monotonic()
        result = platform.new(message)
        totals.append(time.monotonic() - started)
        for name, seconds in split(events_of(platform, result)).items():
            phases[name].append(seconds)
    for _ in range(3):
        result = platform.new(TEN_PROCEDURES)
        count = len(result["contract"]["procedures"])
        gates += gate_seconds(events_of(platform, result))
    return [
        Figure(name="message → verified, running app", unit="s", runs=tuple(totals), target=8.0),
        *(
            Figure(name=f"  {name}", unit="s", runs=tuple(seconds))
            for name, seconds in phases.items()
        ),
        Figure(
            name="whole gate, warm",
            unit="s",
            runs=tuple(gates),
            target=2.5,
            note=f"{count} procedures",
        ),
    ]


def events_of(platform: Running, result: dict[str, Any]) -> list[dict[str, Any]]:
    return list(platform.client().events(result["project"], result["build"]))


def split(events: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds between the landmarks of one build."""
    at = {e["kind"]: datetime.fromisoformat(e["at"]) for e in reversed(events)}
    last = {e["kind"]: datetime.fromisoformat(e["at"]) for e in events}
    gate = sum(gate_seconds(events))
    made = (last["build.finished"] - at["plan.ready"]).total_seconds()
    return {
        "queue": (at["build.started"] - at["message.posted"]).total_seconds(),
        "plan": (at["plan.ready"] - at["build.started"]).total_seconds(),
        "gate": gate,
        "produce and converge": made - gate,
    }


def gate_seconds(events: list[dict[str, Any]]) -> list[float]:
    return [float(e["payload"]["elapsed_s"]) for e in events if e["kind"] == "gate.finished"]


def measure_idle_memory(platform: Running) -> Figure:
    time.sleep(IDLE_S)  # the figure is about an idle platform
    return Figure(
        name="idle platform, memory",
        unit="GB",
        runs=(platform.memory_gb(),),
        target=2.5,
        note="PSS of the process tree, apps of the run still awake",
    )
