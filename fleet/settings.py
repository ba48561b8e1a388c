"""Typed settings; the only reader of the environment. `APPFLEET_<NAME>` overrides each."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_data_dir() -> Path:
    root = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(root) / "appfleet"


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

    # Bounds of one build.
    max_steps: int = 200
    max_prompt_tokens: int = 8_000_000
    max_completion_tokens: int = 400_000
    max_build_s: float = 3_600.0
    max_plan_attempts: int = 3
    max_task_attempts: int = 4
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
