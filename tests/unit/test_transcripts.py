"""A build's transcript over HTTP and by the command, and its replay by the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fleet.cli.commands import app
from fleet.errors import InvalidInput
from fleet.generation.transcript import read_transcript
from tests.trajectories.record import FOLDER
from tests.unit.test_chat_api import Api, api, error_of

__all__ = ["api"]

SUCCESS = FOLDER / "simple-success.json"


def replayed(file: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["replay", str(file), *options])
    return result.exit_code, result.output


def test_a_replay_that_goes_the_same_way_ends_well() -> None:
    code, output = replayed(SUCCESS)
    assert code == 0, output
    assert "the same 4 steps, succeeded" in output


def test_a_replay_that_goes_another_way_shows_where_and_ends_with_1(tmp_path: Path) -> None:
    document = json.loads(SUCCESS.read_text())
    document["steps"][1]["writes"] = {}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(document))
    code, output = replayed(other)
    assert code == 1
    assert "step 2: writes" in output
    code, output = replayed(other, "--json")
    assert code == 1
    assert [d["what"] for d in json.loads(output)["divergences"]] == ["writes"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), (b"\xff\xfe\xff", "not a text"), (b"{}", "none")],
)
def test_a_file_that_is_none_is_refused_with_what_to_do(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "x.json"
    if content is not None:
        file.write_bytes(content)
    result = CliRunner().invoke(app, ["replay", str(file)])
    assert isinstance(result.exception, InvalidInput)
    assert result.exception.action
    assert says in str(result.exception) or "no transcript" in str(result.exception)


def test_a_recorded_transcript_is_read_as_it_was_written() -> None:
    assert read_transcript(SUCCESS.read_text()).build == "bld_recorded"


async def test_a_build_is_exported_to_its_owner_only(api: Api) -> None:
    project, build = await api.new("A CRM for a bakery")
    path = f"/v1/projects/{project}/builds/{build}/transcript"
    answer = await api.ada.get(path)
    assert answer.status_code == 200, answer.text
    exported = read_transcript(answer.text)
    assert (exported.project, exported.build) == (project, build)
    assert (exported.message, exported.steps) == ("A CRM for a bakery", ())
    error_of(await api.bob.get(path), 404)
    error_of(await api.ada.get(path.replace(build, "bld_none")), 404)
