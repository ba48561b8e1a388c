"""Typed settings; the only reader of the environment. `APPFLEET_<NAME>` overrides each."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_data_dir() -> Path:
    root = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(root) / "appfleet"


class Price(BaseModel):
    """US dollars per million tokens; `repeated` is for a cached prefix, None: as `prompt`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: float = Field(default=0.0, ge=0)
    completion: float = Field(default=0.0, ge=0)
    repeated: float | None = Field(default=None, ge=0)


class Settings(BaseSettings):
    """Sizes in bytes or MiB, times in seconds, as the names say."""

    model_config = SettingsConfigDict(env_prefix="APPFLEET_", extra="ignore", frozen=True)

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
    model_timeout_s: float = 120.0
    model_max_retries: int = 4

    # US dollars per million tokens by model name: {"m": {"prompt": 3, "repeated": 0.3,
    # "completion": 15}}. A model without a price costs nothing.
    model_prices: dict[str, Price] = {}

    # Budget of one build, and of an owner's builds over a period; 0 means no bound.
    max_steps: int = 400
    max_prompt_tokens: int = 24_000_000
    max_completion_tokens: int = 400_000
    max_cost_usd: float = 0.0
    max_build_s: float = 3_600.0
    owner_max_steps: int = 0
    owner_max_prompt_tokens: int = 0
    owner_max_completion_tokens: int = 0
    owner_max_cost_usd: float = 0.0
    owner_max_wall_s: float = 0.0
    owner_period_s: float = 86_400.0

    # The conversation is compacted above the high mark, down to about the low one.
    context_high_tokens: int = 100_000
    context_low_tokens: int = 33_000

    # Anti-spiral: how often before the rule holds (see fleet/generation/limits.py).
    spiral_same_calls: int = 3
    spiral_idle_steps: int = 12
    spiral_silent_steps: int = 1
    spiral_alternations: int = 2
    spiral_rewrites: int = 5
    spiral_same_evidence: int = 2
    spiral_no_progress: int = 4
    spiral_oversized: int = 2

    # Deadlines of the gate's checks.
    typescript_timeout_s: float = 60.0
    contract_timeout_s: float = 60.0
    tests_timeout_s: float = 60.0
    browse_timeout_s: float = 60.0
    gate_grace_s: float = 3.0  # what a verdict that is red already waits for more evidence

    # Attempts, and sizes of one piece.
    max_plan_attempts: int = 3
    max_task_attempts: int = 6
    max_write_bytes: int = 200_000
    max_message_bytes: int = 100_000

    # Fleet sizes and timing.
    producer_hosts: int = 1
    builds_per_host: int = 4
    verifiers: int = 1
    lease_ttl_s: float = 15.0
    sweep_interval_s: float = 5.0
    compute_idle_s: float = 300.0
    app_idle_s: float = 1_800.0
    app_start_timeout_s: float = 30.0
    app_memory_mib: int = 1_024
    app_pids: int = 256

    chromium: str = ""  # path; "" searches the usual names
    log_level: str = "INFO"

    @property
    def run_dir(self) -> Path:
        """Short-pathed folder for unix sockets (the kernel allows 107 bytes), one per data dir."""
        digest = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:10]
        root = Path("/run") if os.geteuid() == 0 else Path("/tmp")
        return root / f"appfleet-{os.geteuid()}-{digest}"

    @property
    def artefacts_dir(self) -> Path:
        return self.data_dir / "artefacts"
