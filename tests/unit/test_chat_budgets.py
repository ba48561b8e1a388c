"""The HTTP API about budgets: continuing a build, what was spent, what is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from fleet.domain.build import BuildState, StepKind
from fleet.domain.chat import Usage
from fleet.domain.ids import BuildId, ProjectId
from fleet.ports import NewStep
from fleet.settings import Price, Settings
from tests.unit.test_chat_api import Api, error_of, served
from tests.unit.test_chat_api import api as api  # noqa: PLC0414 (the fixture)

USAGE = Usage(
    prompt_tokens=1_000,
    completion_tokens=50,
    completions=1,
    repeated_tokens=900,
    cost_microusd=12_300,
)


async def run_out(api: Api, build: BuildId, steps: int = 2) -> None:
    claimed = await api.store.claim_build("test", timedelta(minutes=1))
    assert claimed is not None and claimed[0].id == build
    lease = claimed[1]
    await api.store.advance_build(lease, build, BuildState.PLANNING)
    step = NewStep(task=None, kind=StepKind.ARCHITECT, title="Planning", usage=USAGE, elapsed_s=1.5)
    for _ in range(steps):
        await api.store.append_step(lease, build, step)
    api.now += timedelta(seconds=30)
    await api.store.advance_build(lease, build, BuildState.OUT_OF_BUDGET, "It spent its steps.")
    await api.store.release_lease(lease)


async def proceed(api: Api, project: ProjectId) -> httpx.Response:
    return await api.ada.post(f"/v1/projects/{project}/continue")


async def test_a_build_out_of_budget_is_continued(api: Api) -> None:
    project, build = await api.new()
    await run_out(api, build)
    before = await api.store.last_event(project)
    answer = await proceed(api, project)
    assert answer.status_code == 202
    assert answer.json() == {"project": project, "build": build, "after": before}
    shown = (await api.ada.get(f"/v1/projects/{project}/builds/{build}")).json()
    assert (shown["state"], shown["explanation"]) == ("queued", "")
    assert (
        "only one that ran out of budget" in error_of(await proceed(api, project), 409)["message"]
    )


async def test_what_cannot_be_continued_says_why_and_what_to_do(api: Api) -> None:
    project, build = await api.new()
    assert (
        "is waiting its turn; only one that ran out"
        in error_of(await proceed(api, project), 409)["message"]
    )
    await run_out(api, build)
    await api.ada.post(f"/v1/projects/{project}/messages", json={"text": "Something else"})
    error = error_of(await proceed(api, project), 409)
    assert "a later message replaced it" in error["message"] and "new message" in error["action"]
    theirs = await api.bob.post(f"/v1/projects/{project}/continue")
    error_of(theirs, 404)


async def test_a_stream_until_a_continued_build_ends_goes_past_its_first_end(api: Api) -> None:
    project, build = await api.new()
    await run_out(api, build)
    await proceed(api, project)
    await run_out(api, build)
    async with served(api) as client:
        answer = await client.get(f"/v1/projects/{project}/events?until_build={build}")
    assert answer.text.count("event: build.finished") == 2
    assert "event: build.continued" in answer.text


async def test_a_build_shows_what_it_spent_and_what_is_left(api: Api) -> None:
    project, build = await api.new()
    await run_out(api, build)
    await proceed(api, project)
    await run_out(api, build, steps=1)
    result = (await api.ada.get(f"/v1/projects/{project}/builds/{build}")).json()
    spending = result["spending"]
    left = {line["name"]: line["left"] for line in spending.pop("budget")}
    assert spending == {
        "steps": 3,
        "prompt_tokens": 3_000,
        "completion_tokens": 150,
        "repeated_tokens": 2_700,
        "repeated_share": 0.9,
        "cost_usd": 0.0369,
        "wall_s": 4.5,
    }
    assert [s["usage"]["cost_microusd"] for s in result["steps"]] == [12_300] * 3
    defaults = Settings()
    assert left == {
        "steps": defaults.max_steps - 1,  # a fresh budget
        "prompt_tokens": defaults.max_prompt_tokens - 1_000,
        "completion_tokens": defaults.max_completion_tokens - 50,
        "wall_s": defaults.max_build_s - 30,
    }


async def test_an_owner_sees_what_was_spent_in_the_period(api: Api) -> None:
    _, build = await api.new()
    await run_out(api, build)
    usage = (await api.ada.get("/v1/usage")).json()
    assert (usage["steps"], usage["cost_usd"], usage["period_s"]) == (2, 0.0246, 86_400)
    assert usage["budget"] == []
    nothing = (await api.bob.get("/v1/usage")).json()
    assert (nothing["steps"], nothing["repeated_share"]) == (0, 0.0)
    error_of(await api.client().get("/v1/usage"), 401)


async def test_a_bounded_owner_sees_what_is_left(api: Api) -> None:
    bounded = api.settings.model_copy(update={"owner_max_cost_usd": 1.0})
    api.app.state.services = replace(api.app.state.services, settings=bounded)
    _, build = await api.new()
    await run_out(api, build)
    (line,) = (await api.ada.get("/v1/usage")).json()["budget"]
    assert (line["name"], line["limit"], line["used"]) == ("cost_usd", 1.0, 0.0246)
    assert line["left"] == pytest.approx(0.9754)


async def test_metrics_count_steps_tokens_and_cost(api: Api) -> None:
    _, build = await api.new()
    await run_out(api, build)
    text = (await api.client().get("/metrics")).text
    for line in (
        'appfleet_builds{state="out_of_budget"} 1.0',
        "appfleet_steps_total 2.0",
        'appfleet_tokens_total{kind="prompt"} 2000.0',
        'appfleet_tokens_total{kind="repeated"} 1800.0',
        "appfleet_cost_usd_total 0.0246",
    ):
        assert line in text, line


@pytest.mark.parametrize("bound", ["max_cost_usd", "owner_max_cost_usd"])
async def test_a_model_without_a_price_is_no_way_around_a_bound_on_money(
    api: Api, bound: str
) -> None:
    prices = {"blueprint": Price(prompt=1.0)}
    bounded = api.settings.model_copy(update={bound: 1.0, "model_prices": prices})
    api.app.state.services = replace(api.app.state.services, settings=bounded)
    body = {"message": "A CRM", "model": "free"}
    error = error_of(await api.ada.post("/v1/projects", json=body), 400)
    assert "'free' has no price" in error["message"]
    assert "Choose one of blueprint" in error["action"]
    assert await api.store.projects() == []
    project, _ = await api.new()
    path = f"/v1/projects/{project}/messages"
    error_of(await api.ada.post(path, json={"text": "More", "model": "free"}), 400)
    faulty = await api.ada.post(path, json={"text": "More", "model": "blueprint+type-error"})
    assert faulty.status_code == 201


async def test_a_build_is_not_continued_while_its_owner_has_spent_the_period(api: Api) -> None:
    bounded = api.settings.model_copy(update={"owner_max_steps": 2, "owner_period_s": 3_600.0})
    api.app.state.services = replace(api.app.state.services, settings=bounded)
    project, build = await api.new()
    api.now -= timedelta(minutes=20)  # the record's time: these steps are older than the others
    await run_out(api, build, steps=1)
    first = api.now - timedelta(seconds=30)
    api.now += timedelta(minutes=20)
    await api.store.continue_build(build)
    await run_out(api, build, steps=1)
    events = await api.store.last_event(project)
    error = error_of(await proceed(api, project), 409)
    assert "builds of this owner spent what they may in 1 hour" in error["message"]
    # The first of the two steps is forgotten with its minute, an hour later.
    again = first.replace(second=0, microsecond=0) + timedelta(hours=1, minutes=1)
    assert f"{again:%Y-%m-%d %H:%M} UTC" in error["action"]
    assert await api.store.last_event(project) == events
    shown = (await api.ada.get(f"/v1/projects/{project}/builds/{build}")).json()
    assert shown["state"] == "out_of_budget"
    more = bounded.model_copy(update={"owner_max_steps": 3})
    api.app.state.services = replace(api.app.state.services, settings=more)
    assert (await proceed(api, project)).status_code == 202
