"""Recorded builds come out today as they did when they were recorded, without a model."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fleet.assembly import memory_ground
from fleet.generation.replay import Replay, beginning, replay
from fleet.generation.transcript import Transcript, read_transcript
from tests.trajectories.record import BLUEPRINTS, FOLDER
from tests.trajectories.shapes import SHAPES

RECORDED = sorted(FOLDER.glob("*.json"))
DEADLINE_S = 60.0


async def play(transcript: Transcript) -> Replay:
    async with asyncio.timeout(DEADLINE_S):
        return await replay(transcript, memory_ground(beginning(transcript)))


def named(name: str) -> Transcript:
    return read_transcript((FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.stem)
async def test_a_recorded_build_comes_out_the_same(path: Path) -> None:
    transcript = read_transcript(path.read_text())
    found = await play(transcript)
    assert [str(d) for d in found.divergences] == []
    assert found.now.state is transcript.state
    assert len(found.now.steps) == len(transcript.steps) > 0


def test_every_shape_is_recorded_and_ends_as_it_says() -> None:
    assert {path.stem for path in RECORDED} >= {*SHAPES, *BLUEPRINTS}
    for name, shape in SHAPES.items():
        transcript = named(name)
        problems = {str(s.facts["problem"]) for s in transcript.steps if s.facts.get("problem")}
        assert transcript.state.value == shape.end, (name, transcript.explanation)
        assert problems == shape.problems, name
