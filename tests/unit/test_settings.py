"""Settings from the environment: what is refused, in which words, and what is only warned of."""

from __future__ import annotations

import pytest

from fleet.errors import SetupError
from fleet.settings import Price, Settings, read_settings, unknown_variables


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("APPFLEET_MAX_STEPS", "-1", "is '-1': input should be greater than or equal to 0"),
        ("APPFLEET_MAX_STEPS", "many", "is 'many': input should be a valid integer"),
        ("APPFLEET_MAX_COST_USD", "-3", "is '-3'"),
        ("APPFLEET_MAX_COST_USD", "nan", "finite"),
        ("APPFLEET_OWNER_MAX_WALL_S", "-0.5", "is '-0.5'"),
        ("APPFLEET_OWNER_PERIOD_S", "0", "greater than 0"),
        ("APPFLEET_MAX_TASK_ATTEMPTS", "0", "greater than or equal to 1"),
        ("APPFLEET_MODEL_PRICES", "{blueprint: 3}", "not valid JSON"),
        ("APPFLEET_MODEL_PRICES", '{"m": {"prompt": -1}}', "APPFLEET_MODEL_PRICES.m.prompt is"),
        ("APPFLEET_MODEL_PRICES", '{"m": {"input": 1}}', "APPFLEET_MODEL_PRICES.m.input is"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_variable_with_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SetupError, match=r"^A setting is wrong: ") as caught:
        read_settings()
    assert name in caught.value.message and says in caught.value.message
    assert caught.value.action and caught.value.exit_code == 3


def test_every_bound_and_time_refuses_what_is_below_zero() -> None:
    numbers = [n for n, v in Settings().model_dump().items() if type(v) in (int, float)]
    assert len(numbers) > 40
    for name in numbers:
        with pytest.raises(SetupError, match=f"APPFLEET_{name.upper()} is '-1'"):
            read_settings(**{name: -1})


@pytest.mark.parametrize("bound", ["MAX_COST_USD", "OWNER_MAX_COST_USD"])
def test_a_bound_on_money_wants_a_price_of_every_configured_model(
    monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setenv(f"APPFLEET_{bound}", "2")
    monkeypatch.setenv("APPFLEET_CODING_MODEL", "large")
    monkeypatch.setenv("APPFLEET_MODEL_PRICES", '{"blueprint": {}}')
    with pytest.raises(SetupError, match="no price of APPFLEET_CODING_MODEL 'large'") as caught:
        read_settings()
    assert "APPFLEET_MODEL_PRICES" in caught.value.message
    assert "PLANNING" not in caught.value.message
    monkeypatch.setenv("APPFLEET_MODEL_PRICES", '{"blueprint": {}, "*": {"prompt": 5}}')
    assert read_settings().price_of("large") == Price(prompt=5)


def test_a_price_is_that_of_the_model_and_its_faults_else_that_of_any() -> None:
    prices = {"blueprint": Price(prompt=1), "blueprint+slow": Price(prompt=2)}
    settings = Settings(model_prices=prices)
    found = [settings.price_of(n) for n in ("blueprint", "blueprint+slow", "blueprint+x", "other")]
    assert found == [Price(prompt=1), Price(prompt=2), Price(prompt=1), None]
    fallback = Settings(model_prices={**prices, "*": Price(prompt=9)})
    assert [fallback.price_of(n) for n in ("other", "other+x")] == [Price(prompt=9)] * 2


def test_a_variable_that_is_no_setting_is_named_with_the_nearest_one() -> None:
    names = ["APPFLEET_MAX_STEP", "APPFLEET_URL", "APPFLEET_TOKEN", "APPFLEET_MAX_STEPS", "HOME"]
    (told,) = unknown_variables(names)
    assert told.startswith("APPFLEET_MAX_STEP is no setting")
    assert told.endswith("did you mean APPFLEET_MAX_STEPS?")
    (strange,) = unknown_variables(["APPFLEET_QQQQQQQQ"])
    assert "mean" not in strange
