"""Messages become apps that the gate passes and a browser can use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import sync_playwright

from fleet.drivers.chromium.browser import find_chromium
from tests.running_platform import RunningPlatform

CORPUS = json.loads((Path(__file__).parent / "corpus.json").read_text())
CASES = [
    pytest.param(case["message"], id=case["name"], marks=[] if case["ci"] else [pytest.mark.soak])
    for case in CORPUS
]
TIMEOUT_S = 20.0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("message", CASES)
def test_a_message_becomes_a_verified_app_that_a_browser_can_use(
    platform: RunningPlatform, message: str
) -> None:
    code, result = platform.run("new", message)
    assert (code, result["state"]) == (0, "succeeded"), result["explanation"]
    assert all(check["passed"] for check in result["checks"])
    assert {c["name"] for c in result["checks"]} == {"typescript", "contract", "tests", "browse"}
    url = result["app"]["preview_url"].rstrip("/")
    for procedure in result["contract"]["procedures"]:
        answer = call(url, procedure)
        assert answer.status_code < 500, (procedure["name"], answer.text)
        assert "appfleet scaffold" not in answer.text
    assert_pages_are_clean(url, result["contract"]["pages"])


def call(url: str, procedure: dict[str, Any]) -> httpx.Response:
    path = f"{url}/trpc/{procedure['name']}"
    if procedure["kind"] == "query":
        query = {"input": json.dumps(procedure["example_input"])}
        return get(path, query)
    host = httpx.URL(path)
    return httpx.post(
        host.copy_with(host="127.0.0.1"),
        headers={"Host": host.netloc.decode()},
        json=procedure["example_input"],
        timeout=TIMEOUT_S,
    )


def get(path: str, query: dict[str, str]) -> httpx.Response:
    # The resolver of a test machine need not know *.localhost; browsers do.
    host = httpx.URL(path)
    return httpx.get(
        host.copy_with(host="127.0.0.1"),
        headers={"Host": host.netloc.decode()},
        params=query,
        timeout=TIMEOUT_S,
    )


def assert_pages_are_clean(url: str, pages: list[str]) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            page = browser.new_page()
            problems: list[str] = []
            page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
            page.on("pageerror", lambda error: problems.append(str(error)))
            for path in pages:
                page.goto(url + path, wait_until="networkidle")
                assert len(page.inner_text("body").strip()) > 10, path
                assert not problems, (path, problems)
        finally:
            browser.close()


FAULTS = {
    "type-error": "typescript",
    "missing-procedure": "contract",
    "missing-table": "contract",
    "failing-test": "tests",
    "blank-page": "browse",
    "server-error": "contract",
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("fault", "check"),
    [
        pytest.param(
            fault, check, marks=[] if fault in {"type-error", "blank-page"} else [pytest.mark.soak]
        )
        for fault, check in FAULTS.items()
    ],
)
def test_a_fault_is_caught_by_its_check_and_mended_from_the_evidence(
    platform: RunningPlatform, fault: str, check: str
) -> None:
    message = "Track books: title, author, year, and whether I have read them"
    code, result = platform.run("new", message, "--model", f"blueprint+{fault}")
    assert (code, result["state"]) == (0, "succeeded"), result["explanation"]
    assert max(task["attempts"] for task in result["tasks"]) == 2
    events = list(platform.client().events(result["project"], result["build"]))
    failed = [
        event["payload"]
        for event in events
        if event["kind"] == "check.finished" and event["payload"]["outcome"] == "failed"
    ]
    assert check in {payload["check"] for payload in failed}
    findings = [f for payload in failed if payload["check"] == check for f in payload["findings"]]
    assert all(finding["where"] for finding in findings)


@pytest.mark.timeout(300)
def test_a_follow_up_changes_the_running_app_and_keeps_its_data(
    platform: RunningPlatform,
) -> None:
    code, first = platform.run("new", "Track plants: name and watering interval in days")
    assert code == 0, first["explanation"]
    create = next(p for p in first["contract"]["procedures"] if p["name"].endswith(".create"))
    url = first["app"]["preview_url"].rstrip("/")
    assert call(url, create).status_code == 200
    code, second = platform.run("chat", first["project"], "Add a notes field to plants")
    assert code == 0, second["explanation"]
    assert second["commit"] != first["commit"]
    table = first["contract"]["tables"][0]
    code, rows = platform.run("psql", first["project"], "-c", f"SELECT * FROM {table}")
    assert code == 0
    assert "notes" in rows["columns"]
    assert rows["row_count"] == 1


@pytest.mark.timeout(300)
def test_two_messages_in_one_project_queue_and_both_end(platform: RunningPlatform) -> None:
    code, posted = platform.run("new", "Track songs: title and artist", "--no-wait")
    assert code == 0
    code, second = platform.run("chat", posted["project"], "Add a rating field to songs")
    assert (code, second["state"]) == (0, "succeeded"), second["explanation"]
    client = platform.client()
    first = client.get(f"/v1/projects/{posted['project']}/builds/{posted['build']}")
    assert first["state"] == "succeeded"
