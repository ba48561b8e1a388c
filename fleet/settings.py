"""Typed settings; the only reader of the environment. `APPFLEET_<NAME>` overrides each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from fleet.errors import SetupError

PREFIX = "APPFLEET_"
# Read by the command alone: where its platform is, and the token for it.
COMMAND_VARIABLES = frozenset({"APPFLEET_URL", "APPFLEET_TOKEN"})
ANY_MODEL = "*"

# Bounds where 0 means none, counts and sizes of which there must be one, and times.
Bound = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def default_data_dir() -> Path:
    root = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(root) / "appfleet"


class Price(BaseModel):
    """US dollars per million tokens; `repeated` is for a cached prefix, None: as `prompt`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: Amount = 0.0
    completion: Amount = 0.0
    repeated: Amount | None = None


class Settings(BaseSettings):
    """Sizes in bytes or MiB, times in seconds, as the names say."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    port: int = Field(default=7700, ge=0, le=65535)
    ray_address: str | None = None
    database_url: str = ""  # the control database; "" means the embedded one

    # Models: an OpenAI-compatible base URL; "" means the built-in one at /models/v1.
    model_base_url: str = ""
    model_api_key: str = "none"
    planning_model: str = "blueprint"
    coding_model: str = "blueprint"
    analysis_model: str = "blueprint"
    model_timeout_s: Seconds = 120.0
    model_max_retries: Bound = 4

    # US dollars per million tokens by model name: {"m": {"prompt": 3, "repeated": 0.3,
    # "completion": 15}}. The price of "m" is also that of "m+FAULT", and "*" is that of every
    # other model. A model without a price costs nothing, so with a bound on money none is used.
    model_prices: dict[str, Price] = {}

    # Budget of one build, and of an owner's builds over a period; 0 means no bound. A step is one
    # answer of a model: what the gate does, and a compaction without a model, are none.
    max_steps: Bound = 400
    max_prompt_tokens: Bound = 24_000_000
    max_completion_tokens: Bound = 400_000
    max_cost_usd: Amount = 0.0
    max_build_s: Amount = 3_600.0
    owner_max_steps: Bound = 0
    owner_max_prompt_tokens: Bound = 0
    owner_max_completion_tokens: Bound = 0
    owner_max_cost_usd: Amount = 0.0
    owner_max_wall_s: Amount = 0.0
    owner_period_s: Seconds = 86_400.0

    # The conversation is compacted above the high mark, down to about the low one.
    context_high_tokens: Count = 100_000
    context_low_tokens: Count = 33_000

    # Anti-spiral: how often before the rule holds (see fleet/generation/limits.py).
    spiral_same_calls: Count = 3
    spiral_idle_steps: Count = 12
    spiral_silent_steps: Count = 1
    spiral_alternations: Count = 2
    spiral_rewrites: Count = 5
    spiral_same_evidence: Count = 2
    spiral_no_progress: Count = 4
    spiral_oversized: Count = 2

    # Deadlines of the gate's checks.
    typescript_timeout_s: Seconds = 60.0
    contract_timeout_s: Seconds = 60.0
    tests_timeout_s: Seconds = 60.0
    browse_timeout_s: Seconds = 60.0
    gate_grace_s: Amount = 3.0  # what a verdict that is red already waits for more evidence

    # Attempts, and sizes of one piece.
    max_plan_attempts: Count = 3
    max_task_attempts: Count = 6
    max_write_bytes: Count = 200_000
    max_message_bytes: Count = 100_000

    # Fleet sizes and timing.
    producer_hosts: Count = 1
    builds_per_host: Count = 4
    verifiers: Count = 1
    lease_ttl_s: Seconds = 15.0
    sweep_interval_s: Seconds = 5.0
    compute_idle_s: Seconds = 300.0
    app_idle_s: Seconds = 1_800.0
    app_start_timeout_s: Seconds = 30.0
    app_memory_mib: Count = 1_024
    app_pids: Count = 256

    chromium: str = ""  # path; "" searches the usual names
    log_level: str = "INFO"

    @model_validator(mode="after")
    def _money_is_counted(self) -> Self:
        if self.bounds_money:
            roles = ("planning", "coding", "analysis")
            models = {
                f"{PREFIX}{role.upper()}_MODEL": getattr(self, f"{role}_model") for role in roles
            }
            free = [f"{n} {m!r}" for n, m in models.items() if self.price_of(m) is None]
            if free:
                raise ValueError(
                    f"a bound on money is set, but there is no price of {_listed(free)}; add it to "
                    f'{PREFIX}MODEL_PRICES, or "{ANY_MODEL}" for every other model'
                )
        return self

    @property
    def bounds_money(self) -> bool:
        return bool(self.max_cost_usd or self.owner_max_cost_usd)

    def price_of(self, model: str) -> Price | None:
        """Its own, that of the model before a "+", or that of any model."""
        names = (model, model.partition("+")[0], ANY_MODEL)
        return next((self.model_prices[n] for n in names if n in self.model_prices), None)

    @property
    def run_dir(self) -> Path:
        """Short-pathed folder for unix sockets (the kernel allows 107 bytes), one per data dir."""
        digest = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:10]
        root = Path("/run") if os.geteuid() == 0 else Path("/tmp")
        return root / f"appfleet-{os.geteuid()}-{digest}"

    @property
    def artefacts_dir(self) -> Path:
        return self.data_dir / "artefacts"


def read_settings(**given: Any) -> Settings:
    """The environment's, but for what is given. SetupError names each that is wrong."""
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(_wrong(e["loc"], e["msg"], e["input"]) for e in error.errors())
    except SettingsError as error:  # a value that is no JSON
        names = [n for n in Settings.model_fields if f'"{n}"' in str(error)]
        wrong = f"{_listed([PREFIX + n.upper() for n in names])}: it is not valid JSON"
    raise SetupError(
        f"A setting is wrong: {wrong}.", action="Mend the variable, or unset it for its default."
    )


def unknown_variables(names: Iterable[str]) -> list[str]:
    """A sentence on each variable that looks like a setting and is none."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | COMMAND_VARIABLES
    told = []
    for name in sorted({n for n in names if n.upper().startswith(PREFIX)}):
        if name.upper() not in known:
            near = get_close_matches(name.upper(), known, n=1, cutoff=0.75)
            meant = f"; did you mean {near[0]}?" if near else "."
            told.append(f"{name} is no setting and has no effect{meant}")
    return told


def _wrong(where: tuple[int | str, ...], message: str, value: object) -> str:
    message = message.removeprefix("Value error, ")
    if not where:
        return message
    name, *inner = (str(part) for part in where)
    path = ".".join([PREFIX + name.upper(), *inner])
    return f"{path} is {str(value)[:40]!r}: {message[:1].lower()}{message[1:]}"


def _listed(names: list[str]) -> str:
    return " and ".join(names)
