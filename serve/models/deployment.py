"""The built-in models under Ray Serve, at /models/v1."""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve import Application


def _build() -> Any:
    from serve.models.app import create_models_app  # its dictionaries load in the replica only

    return create_models_app()


def models_application() -> Application:
    decorate: Any = serve.deployment
    deployment = decorate(
        serve.ingress(_build)(),
        name="Models",
        num_replicas=1,
        max_ongoing_requests=200,
        ray_actor_options={"num_cpus": 0},
    )
    application: Application = deployment.bind()
    return application
