"""What a model name of blueprint may say, and what the list tells of each."""

from __future__ import annotations

import pytest

from serve.models.blueprint import (
    EXPECTED_END,
    MODEL_NAMES,
    Behaviour,
    End,
    Fault,
    describe,
    parse_model_name,
)


def test_a_name_carries_any_number_of_known_faults() -> None:
    assert parse_model_name("blueprint") == Behaviour()
    assert parse_model_name("blueprint+type-error") == Behaviour(faults=(Fault.TYPE_ERROR,))
    both = parse_model_name("blueprint+slow+raw-tool-call")
    assert both == Behaviour(faults=(Fault.SLOW, Fault.RAW_TOOL_CALL), delay_s=1)


def test_seeds_lengths_and_delays_are_numbers() -> None:
    assert parse_model_name("blueprint+seed--7") == Behaviour(seed=-7)
    assert parse_model_name("blueprint+long-200") == Behaviour(notes=200)
    assert parse_model_name("blueprint+slow-3") == Behaviour(faults=(Fault.SLOW,), delay_s=3)
    mixed = parse_model_name("blueprint+seed-3+long-20+type-error")
    assert mixed == Behaviour(faults=(Fault.TYPE_ERROR,), seed=3, notes=20)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4",
        "blueprintx",
        "blueprint+",
        "blueprint+nonsense",
        "blueprint+type-error+",
        "blueprint+long-0",
        "blueprint+long-1001",
        "blueprint+slow-31",
        "blueprint+seed-",
        "blueprint+seed-1.5",
        "Blueprint",
    ],
)
def test_anything_else_is_no_name(name: str) -> None:
    assert parse_model_name(name) is None


def test_every_fault_is_listed_with_the_end_it_must_come_to() -> None:
    assert set(EXPECTED_END) == {fault for fault in Fault if fault}
    for name in MODEL_NAMES:
        behaviour = parse_model_name(name)
        assert behaviour is not None
        if name != "blueprint":
            assert f"builds end {behaviour.expected.end.value}" in describe(name)


def test_of_several_faults_a_failing_one_decides_the_end() -> None:
    behaviour = parse_model_name("blueprint+slow+refusal+seed-1")
    assert behaviour is not None
    assert behaviour.expected.end is End.FAILED
    assert behaviour.expected.told == EXPECTED_END[Fault.REFUSAL].told
