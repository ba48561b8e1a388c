"""What the HTTP API refuses, in which words, and that nothing is made of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from fleet.domain.token import hash_token
from fleet.errors import InfrastructureError
from serve.chat.deployment import is_built_in, model_exists, model_names
from serve.chat.model_names import no_such_model
from serve.models.app import create_models_app
from serve.models.blueprint import MODEL_NAMES
from tests.unit.test_chat_api import ADA, Api, error_of

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def ready(tmp_path: Path) -> Api:
    made = Api(tmp_path)
    owner = await made.store.ensure_owner("ada")
    await made.store.add_token(owner.id, hash_token(ADA), "test")
    return made


@pytest.mark.parametrize("model", ["gpt-nope", "blueprint+nope", "", "  "])
async def test_a_model_that_is_not_offered_is_refused_and_makes_nothing(
    ready: Api, model: str
) -> None:
    ready.platform.offered = list(MODEL_NAMES)
    body = {"message": "A CRM", "model": model}
    error = error_of(await ready.ada.post("/v1/projects", json=body), 400)
    assert "model" in error["message"] and "blueprint" in error["action"]
    assert await ready.store.projects() == []
    project, build = await ready.new()
    follow_up = {"text": "more", "model": model}
    error_of(await ready.ada.post(f"/v1/projects/{project}/messages", json=follow_up), 400)
    assert [b.id for b in await ready.store.builds(project)] == [build]


def test_an_unknown_model_is_answered_with_the_nearest_names_and_how_names_are_made() -> None:
    error = no_such_model("blueprint+typ-eror", MODEL_NAMES)
    assert error.message == "There is no model 'blueprint+typ-eror'."
    assert error.action.startswith("Nearest: blueprint+type-error")
    assert "Parts combine with +; any number will do in seed-N, long-N, slow-N." in error.action
    far = no_such_model("gpt-nope", MODEL_NAMES)
    assert far.action.startswith("For example: blueprint, ")
    assert max(len(error.action), len(far.action)) < 250


async def test_an_offered_model_is_taken_and_so_is_any_name_at_an_external_endpoint(
    ready: Api,
) -> None:
    ready.platform.offered = list(MODEL_NAMES)
    body = {"message": "A CRM", "model": "blueprint+type-error"}
    assert (await ready.ada.post("/v1/projects", json=body)).status_code == 201
    ready.platform.offered = None
    body = {"message": "A CRM", "model": "vendor/any-model:1"}
    assert (await ready.ada.post("/v1/projects", json=body)).status_code == 201


def test_only_the_endpoint_beside_the_platform_is_the_built_in_one() -> None:
    assert is_built_in("http://127.0.0.1:41234/models/v1")
    assert not is_built_in("http://127.0.0.1:11434/v1")
    assert not is_built_in("https://models.example.org/models/v1")


@pytest.fixture
async def models_url() -> AsyncIterator[str]:
    app = FastAPI()
    app.mount("/models", create_models_app())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (uvicorn offers no event for it)
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/models/v1"
    server.should_exit = True
    await asyncio.wait_for(running, 10)


async def test_the_built_in_endpoint_is_asked_for_its_models(models_url: str) -> None:
    assert await model_names(models_url) == list(MODEL_NAMES)
    with pytest.raises(InfrastructureError, match="models do not answer"):
        await model_names(models_url.replace("/models/", "/nothing/"))


async def test_a_name_in_no_list_is_the_endpoints_to_judge(models_url: str) -> None:
    assert await model_exists(models_url, "blueprint+seed-4711")
    assert await model_exists(models_url, "blueprint+slow+raw-tool-call")
    for unknown in ("blueprint+nonsense", "a/b", "..", "gpt-4?x=1"):
        assert not await model_exists(models_url, unknown)
    with pytest.raises(InfrastructureError, match="models do not answer"):
        await model_exists("http://127.0.0.1:9/models/v1", "blueprint+seed-1")


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("A \x1b[31mred\x1b[0m CRM", "A red CRM"),
        ("\x9b1;31mA CRM", "A CRM"),
        ("A \x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "A link"),
        ("\x1b(BA CRM\x1b[", "A CRM"),
        ("rooms [31m wide", "rooms [31m wide"),
    ],
)
async def test_escape_sequences_are_stripped_whole(ready: Api, message: str, kept: str) -> None:
    body = {"message": message, "title": message}
    answer = await ready.ada.post("/v1/projects", json=body)
    assert answer.json()["message"]["text"] == kept
    assert (await ready.ada.get("/v1/projects")).json()[0]["title"] == kept


@pytest.mark.parametrize(
    "message", ["\x1b[31m", "\x1b[31m \x1b[0m", "\x1b]0;t\x07", "\u200b\u2060"]
)
async def test_a_message_that_is_only_escapes_is_empty(ready: Api, message: str) -> None:
    error = error_of(await ready.ada.post("/v1/projects", json={"message": message}), 400)
    assert error["message"] == "The message is empty."
    assert await ready.store.projects() == []


@pytest.mark.parametrize(
    ("raw", "headers", "words"),
    [
        (b'{"message": "\xff"}', JSON, "not JSON in UTF-8"),
        (b"{", JSON, "not valid JSON"),
        (b"", JSON, "missing"),
        (b"[]", JSON, "not a JSON object"),
        (b'{"message": "a"}', {"Content-Type": "text/plain"}, "not a JSON object"),
        (b'{"message": "a", "modle": "b"}', JSON, "modle: there is no such field"),
    ],
)
async def test_a_body_that_cannot_be_read_says_why(
    ready: Api, raw: bytes, headers: dict[str, str], words: str
) -> None:
    error = error_of(await ready.ada.post("/v1/projects", content=raw, headers=headers), 400)
    assert error["code"] == "invalid_input" and words in error["message"] and error["action"]


async def test_a_path_or_method_that_is_not_there_says_what_is(ready: Api) -> None:
    missing = error_of(await ready.ada.get("/v1/nothing"), 404)
    assert missing["code"] == "not_found" and "/openapi.json" in missing["action"]
    answer = await ready.ada.put("/v1/projects")
    refused = error_of(answer, 405)
    assert refused["code"] == "method_not_allowed"
    assert "PUT is not possible at /v1/projects" in refused["message"]
    assert "Possible there: GET, POST" in refused["action"]
    assert answer.headers["Allow"] == "GET, POST"
    for path in ("/", "/page/app.js"):  # outside the API's description
        page = error_of(await ready.ada.post(path), 405)
        assert "Possible there: GET" in page["action"]


@pytest.mark.parametrize("size", [100_001, 1_000_000])
async def test_a_message_that_is_too_long_is_told_the_limit_of_a_message(
    ready: Api, size: int
) -> None:
    error = error_of(await ready.ada.post("/v1/projects", json={"message": "x" * size}), 413)
    assert "100,000" in error["message"] and "message" in error["message"]


async def test_an_event_the_project_never_reached_is_refused(ready: Api) -> None:
    project, _ = await ready.new()
    last = len(await ready.store.events(project, 0))
    path = f"/v1/projects/{project}/events"
    answer: httpx.Response = await ready.ada.get(path, headers={"Last-Event-ID": str(last + 1)})
    assert f"no event {last + 1}" in error_of(answer, 400)["message"]
    error_of(await ready.ada.get(path, params={"after": "9" * 18}), 400)


async def test_an_unknown_project_points_to_a_command_that_lists_them(ready: Api) -> None:
    assert "`appfleet status`" in error_of(await ready.ada.get("/v1/projects/x"), 404)["action"]


async def test_the_list_of_projects_tells_the_last_build_of_each(ready: Api) -> None:
    project, _ = await ready.new()
    (listed,) = (await ready.ada.get("/v1/projects")).json()
    assert listed["id"] == project and listed["last_build"] == "queued"
    assert listed["last_build_at"]
