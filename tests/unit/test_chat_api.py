"""The HTTP API over doubles of its ports, through ASGI; the event stream over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from fleet.domain.build import BuildState, TaskState
from fleet.domain.ids import BuildId, CommitId, ProjectId
from fleet.domain.plan import Contract, Plan, PlannedTask, Procedure, ProcedureKind
from fleet.domain.token import hash_token, new_token
from fleet.domain.verdict import CheckName, CheckOutcome, CheckResult, Verdict
from fleet.drivers.memory.store import MemoryStore
from fleet.settings import Settings
from serve.chat.app import create_chat_app
from serve.chat.platform import ChatServices
from tests.unit.quiet_platform import QuietPlatform

ADA, BOB = new_token(), new_token()
COMMIT = CommitId("c" * 40)


class Api:
    def __init__(self, folder: Path) -> None:
        self.now = datetime.now(UTC)
        self.store = MemoryStore(lambda: self.now)
        self.platform = QuietPlatform(self.store)
        self.settings = Settings(data_dir=folder)
        services = ChatServices(self.store, self.platform, self.settings, heartbeat_s=0.1)
        self.app: FastAPI = create_chat_app(services)
        self.ada = self.client(ADA)
        self.bob = self.client(BOB)

    def client(self, token: str = "") -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(
            transport=transport, base_url="http://localhost:7700", headers=headers
        )

    async def new(self, message: str = "A CRM for a bakery") -> tuple[ProjectId, BuildId]:
        answer = await self.ada.post("/v1/projects", json={"message": message})
        assert answer.status_code == 201, answer.text
        return ProjectId(answer.json()["project"]), BuildId(answer.json()["build"])


@pytest.fixture
async def api(tmp_path: Path) -> Api:
    made = Api(tmp_path)
    for name, token in (("ada", ADA), ("bob", BOB)):
        owner = await made.store.ensure_owner(name)
        await made.store.add_token(owner.id, hash_token(token), "test")
    return made


def error_of(answer: httpx.Response, status: int) -> dict[str, str]:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"} and set(body["error"]) == {"code", "message", "action"}
    return dict(body["error"])


async def test_a_message_makes_a_project_with_a_queued_build(api: Api) -> None:
    project, build = await api.new("A CRM for a bakery\nwith customers")
    shown = (await api.ada.get(f"/v1/projects/{project}")).json()
    assert shown["title"] == "A CRM for a bakery"
    assert shown["apps"] == [
        {"slug": "web", "preview_url": f"http://web-{project}.localhost:7700/"}
    ]
    assert [b["build"] for b in shown["builds"]] == [build]
    assert shown["builds"][0]["state"] == "queued"
    assert [p["id"] for p in (await api.ada.get("/v1/projects")).json()] == [project]


async def test_a_follow_up_message_queues_a_second_build(api: Api) -> None:
    project, first = await api.new()
    path = f"/v1/projects/{project}/messages"
    answer = await api.ada.post(path, json={"text": "Add a phone", "model": "blueprint+type-error"})
    assert answer.status_code == 201 and answer.json()["build"] != first
    texts = [m["text"] for m in (await api.ada.get(path)).json()]
    assert texts == ["A CRM for a bakery", "Add a phone"]
    builds = (await api.ada.get(f"/v1/projects/{project}/builds")).json()
    assert builds[1]["model"] == "blueprint+type-error"


@pytest.mark.parametrize("message", ["", "   \n\t ", "\x00\x01\x1b"])
async def test_a_message_without_text_is_refused_and_makes_nothing(api: Api, message: str) -> None:
    error = error_of(await api.ada.post("/v1/projects", json={"message": message}), 400)
    assert error["message"] == "The message is empty."
    assert await api.store.projects() == []


@pytest.mark.parametrize("size", [100_001, 1_000_000, 5_000_000])
async def test_a_message_that_is_too_long_is_refused_clearly(api: Api, size: int) -> None:
    error = error_of(await api.ada.post("/v1/projects", json={"message": "x" * size}), 413)
    assert error["code"] == "too_large" and error["action"]


@pytest.mark.parametrize(
    "message", ["顧客管理アプリ 🍞", "نظام حجز", "Ünïcödé 👩🏽‍🍳", "a'; DROP TABLE x--"]
)
async def test_any_script_and_emoji_is_kept_as_it_is(api: Api, message: str) -> None:
    project, _ = await api.new(message)
    answer = await api.ada.get(f"/v1/projects/{project}/messages")
    assert answer.json()[0]["text"] == message


async def test_control_characters_and_lone_surrogates_are_stripped(api: Api) -> None:
    raw = b'{"message": "A\\u0000 C\\u001bRM\\ud800\\r\\nfor us\\u0007"}'
    headers = {"Content-Type": "application/json"}
    answer = await api.ada.post("/v1/projects", content=raw, headers=headers)
    assert answer.status_code == 201
    assert answer.json()["message"]["text"] == "A CRM\nfor us"


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b"{}", b'{"message": 1}', b'{"message": "a", "modle": "b"}', b"\xff", b""]
)
async def test_a_malformed_body_is_a_clear_400(api: Api, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    error_of(await api.ada.post("/v1/projects", content=raw, headers=headers), 400)


async def test_a_model_name_that_is_none_is_refused(api: Api) -> None:
    body = {"message": "A CRM", "model": "no spaces; please"}
    assert "model name" in error_of(await api.ada.post("/v1/projects", json=body), 400)["message"]


@pytest.mark.parametrize(
    "header",
    [None, "Bearer", "Bearer ", "Basic abc", "Bearer x", "Bearer é\x7f", ADA, "Bearer " + "a" * 43],
)
async def test_a_missing_malformed_or_foreign_token_is_401(api: Api, header: str | None) -> None:
    headers = {"Authorization": header.encode()} if header is not None else {}
    answer = await api.client().get("/v1/projects", headers=headers)
    assert error_of(answer, 401)["action"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_one_owner_never_sees_anothers_project(api: Api) -> None:
    project, build = await api.new()
    assert (await api.bob.get("/v1/projects")).json() == []
    for path in (
        "",
        "/messages",
        "/events",
        "/builds",
        f"/builds/{build}",
        "/logs",
        "/artefacts/a",
    ):
        theirs = error_of(await api.bob.get(f"/v1/projects/{project}{path}"), 404)
        nobodys = error_of(await api.bob.get(f"/v1/projects/none-abcde{path}"), 404)
        assert theirs["message"].replace(project, "none-abcde") == nobodys["message"]
    error_of(await api.bob.delete(f"/v1/projects/{project}"), 404)
    error_of(await api.bob.post(f"/v1/projects/{project}/sql", json={"sql": "select 1"}), 404)
    other = (await api.bob.post("/v1/projects", json={"message": "mine"})).json()["project"]
    error_of(await api.bob.get(f"/v1/projects/{other}/builds/{build}"), 404)


async def test_a_deleted_project_is_unknown_afterwards(api: Api) -> None:
    project, _ = await api.new()
    assert (await api.ada.delete(f"/v1/projects/{project}")).status_code == 204
    error_of(await api.ada.delete(f"/v1/projects/{project}"), 404)
    error_of(await api.ada.get("/v1/projects/..%2F..%2Fetc"), 404)
    error_of(await api.ada.get("/v1/nothing"), 404)


async def test_a_build_result_is_complete(api: Api) -> None:
    project, build = await api.new()
    await _finish(api, build)
    shown = (await api.ada.get(f"/v1/projects/{project}/builds/{build}")).json()
    assert shown["state"] == "succeeded" and shown["commit"] == COMMIT
    assert shown["app"]["slug"] == "web" and shown["elapsed_s"] == 5.0
    assert shown["contract"] == {
        "procedures": [{"name": "customers.list", "kind": "query", "example_input": None}],
        "tables": ["customers"],
        "pages": ["/"],
    }
    assert [(c["name"], c["passed"], c["elapsed_s"]) for c in shown["checks"]] == [
        ("typescript", True, 0.5),
        ("browse", True, 0.0),
    ]
    assert [(t["title"], t["state"], t["attempts"]) for t in shown["tasks"]] == [("All", "done", 2)]
    assert [v["green"] for v in shown["verdicts"]] == [False, True]


async def _finish(api: Api, build: BuildId) -> None:
    claimed = await api.store.claim_build("test", timedelta(minutes=1))
    assert claimed is not None and claimed[0].id == build
    lease = claimed[1]
    contract = Contract(
        procedures=(Procedure(name="customers.list", kind=ProcedureKind.QUERY),),
        tables=("customers",),
    )
    planned = PlannedTask(title="All", instructions="x")
    plan = Plan(title="CRM", summary="s", tasks=(planned,), contract=contract)
    await api.store.advance_build(lease, build, BuildState.PLANNING)
    (task,) = await api.store.save_plan(lease, build, plan, None)
    await api.store.advance_build(lease, build, BuildState.PRODUCING)
    await api.store.move_task(lease, task.id, TaskState.ACTIVE, 1)
    red = (CheckResult(check=CheckName.TYPESCRIPT, outcome=CheckOutcome.FAILED),)
    green = (
        CheckResult(check=CheckName.TYPESCRIPT, outcome=CheckOutcome.PASSED, elapsed_s=0.5),
        CheckResult(check=CheckName.BROWSE, outcome=CheckOutcome.SKIPPED),
    )
    for attempt, results in ((1, red), (2, green)):
        verdict = Verdict(commit=COMMIT, results=results, elapsed_s=1)
        await api.store.record_verdict(lease, task.id, attempt, verdict)
    await api.store.move_task(lease, task.id, TaskState.DONE, 2)
    await api.store.set_build_commit(lease, build, COMMIT)
    api.now += timedelta(seconds=5)
    await api.store.advance_build(lease, build, BuildState.SUCCEEDED)


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "9" * 30, "١"])
async def test_a_malformed_last_event_id_is_a_clear_400(api: Api, number: str) -> None:
    project, _ = await api.new()
    path = f"/v1/projects/{project}/events"
    answer = await api.ada.get(path, headers={"Last-Event-ID": number.encode()})
    assert "Last-Event-ID" in error_of(answer, 400)["message"]
    error_of(await api.ada.get(path, params={"after": number}), 400)


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    server = uvicorn.Server(uvicorn.Config(api.app, port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn offers no event for it)
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"Authorization": f"Bearer {ADA}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        yield client
    server.should_exit = True
    await asyncio.wait_for(running, 10)


async def test_events_stream_live_and_end_with_the_build(api: Api) -> None:
    project, build = await api.new()
    async with served(api) as client:
        path = f"/v1/projects/{project}/events?until_build={build}"
        async with client.stream("GET", path) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            seen = []
            async for line in lines:
                seen.append(line)
                if line.startswith(": "):  # a heartbeat: everything old has arrived
                    break
            await _finish(api, build)
            seen += [line async for line in lines]
    ids = [line for line in seen if line.startswith("id: ")]
    assert ids == ["id: 1", "id: 2", "id: 3", "id: 4"]
    assert "event: build.finished" in seen
    data = [json.loads(line[6:]) for line in seen if line.startswith("data: ")]
    assert data[-1]["payload"]["state"] == "succeeded" and data[-1]["number"] == 4


async def test_a_stream_resumes_after_the_last_event_seen(api: Api) -> None:
    project, build = await api.new()
    await _finish(api, build)
    async with served(api) as client:
        path = f"/v1/projects/{project}/events?until_build={build}"
        header = await client.get(path, headers={"Last-Event-ID": "1"})
        query = await client.get(f"{path}&after=3")
        over = await client.get(f"{path}&after=4")
    assert "id: 1\n" not in header.text and "id: 2\n" in header.text and "id: 4\n" in header.text
    assert "id: 3\n" not in query.text and "id: 4\n" in query.text
    assert "id:" not in over.text


async def test_a_stream_of_a_project_that_is_deleted_ends(api: Api) -> None:
    project, _ = await api.new()
    async with (
        served(api) as client,
        client.stream("GET", f"/v1/projects/{project}/events") as answer,
    ):
        lines = answer.aiter_lines()
        await anext(lines)
        await api.platform.delete_project(project)
        rest = [line async for line in lines]
    assert "event: project.deleted" in rest


async def test_the_page_signs_in_with_a_cookie_for_this_host_only(api: Api) -> None:
    browser = api.client()
    error_of(await browser.post("/v1/session", json={"token": "not-a-known-token"}), 401)
    answer = await browser.post("/v1/session", json={"token": ADA})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert "domain" not in cookie.lower()
    assert (await browser.get("/v1/projects")).status_code == 200
    foreign = {"Origin": "http://web-crm-x7k2p.localhost:7700"}
    error_of(await browser.post("/v1/projects", json={"message": "x"}, headers=foreign), 401)
    own = {"Origin": "http://localhost:7700"}
    made = await browser.post("/v1/projects", json={"message": "x"}, headers=own)
    assert made.status_code == 201
    await browser.delete("/v1/session", headers=own)
    assert (await browser.get("/v1/projects")).status_code == 401


async def test_artefacts_come_only_from_the_projects_own_folder(api: Api) -> None:
    project, _ = await api.new()
    folder = api.settings.artefacts_dir / project
    folder.mkdir(parents=True)
    (folder / "home.png").write_bytes(b"png")
    (folder / "page.html").write_text("<script>")
    (folder / "link.png").symlink_to("/etc/passwd")
    (api.settings.artefacts_dir / "other.png").write_bytes(b"secret")
    base = f"/v1/projects/{project}/artefacts/"
    for path in ("home.png", f"{project}/home.png"):
        answer = await api.ada.get(base + path)
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    page = await api.ada.get(base + "page.html")
    assert page.headers["content-disposition"].startswith("attachment")
    for path in ("%2e%2e/other.png", "..%2fother.png", "link.png", "none.png", "a%00b"):
        error_of(await api.ada.get(base + path), 404)


async def test_sql_and_logs_reach_the_platform_and_its_errors_come_back(api: Api) -> None:
    project, _ = await api.new()
    path = f"/v1/projects/{project}"
    assert (await api.ada.post(f"{path}/sql", json={"sql": "select 1"})).json()["rows"] == [[1]]
    error_of(await api.ada.post(f"{path}/sql", json={"sql": "wrong"}), 422)
    error_of(await api.ada.post(f"{path}/sql", json={"sql": " "}), 400)
    logs = (await api.ada.get(f"{path}/logs", params={"lines": 7})).json()
    assert logs == {"app": "web", "text": f"{project} web 7"}
    error_of(await api.ada.get(f"{path}/logs", params={"app": "nope"}), 404)
    error_of(await api.ada.get(f"{path}/logs", params={"lines": 0}), 400)


async def test_readiness_names_the_problems(api: Api) -> None:
    public = api.client()
    assert (await public.get("/healthz")).json() == {"ok": True}
    assert (await public.get("/readyz")).json() == {"ready": True, "problems": []}
    api.platform.problems = ["No verifier answers."]
    answer = await public.get("/readyz")
    assert answer.status_code == 503 and answer.json()["problems"] == ["No verifier answers."]


async def test_metrics_count_requests_by_route_and_builds_by_state(api: Api) -> None:
    project, _ = await api.new()
    await api.ada.get(f"/v1/projects/{project}")
    text = (await api.client().get("/metrics")).text
    assert 'appfleet_builds{state="queued"} 1.0' in text
    assert 'route="/v1/projects/{project}",status="200"' in text
    assert project not in text


async def test_the_page_is_served_with_a_policy_that_forbids_foreign_code(api: Api) -> None:
    public = api.client()
    for path in ("/", "/p/crm-x7k2p", "/page/app.js", "/page/style.css"):
        answer = await public.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy and "frame-src http://*.localhost:7700" in policy
    assert "/v1/projects/{project}/events" in (await public.get("/openapi.json")).json()["paths"]


async def test_an_unexpected_fault_says_nothing_of_its_inside(api: Api) -> None:
    async def broken() -> list[str]:
        raise RuntimeError("secret detail")

    api.platform.ready = broken  # type: ignore[method-assign]
    error = error_of(await api.client().get("/readyz"), 500)
    assert "secret" not in json.dumps(error)


def test_the_page_never_sets_markup_from_data() -> None:
    page = Path(__file__).parents[2] / "serve" / "chat" / "page"
    for script in page.glob("*.js"):
        text = script.read_text()
        for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert unsafe not in text, f"{script.name} uses {unsafe}"
