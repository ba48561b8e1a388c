"""The only `ray.remote` of the actors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import ray
from ray.actor import ActorHandle

from actors import node_agent, producer_host, supervisor, verifier
from actors.proxy import (
    NAMESPACE,
    NODE_AGENT,
    SUPERVISOR,
    RemoteBrowser,
    RemoteGatekeeper,
    RemoteRuntime,
    RemoteTimelines,
    call_actor,
    producer_names,
    verifier_names,
)
from fleet.domain.catalog import CatalogNote
from fleet.ports import Browser, Gatekeeper, Runtime, Scaffold, Timelines
from fleet.settings import Settings

# num_cpus=0: these actors wait far more than they compute, and must never queue for a core.
_ACTOR = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": 0, "max_concurrency": 200}


def as_actor(plain: type) -> Any:
    """Ray's overloads know no actor options, hence the Any."""
    decorate: Any = ray.remote
    return decorate(**_ACTOR)(plain)


_NodeAgentActor = as_actor(node_agent.NodeAgent)
_VerifierActor = as_actor(verifier.Verifier)
_ProducerHostActor = as_actor(producer_host.ProducerHost)
_SupervisorActor = as_actor(supervisor.Supervisor)


def start_actors(
    settings: Settings, scaffold: Scaffold, catalog: tuple[CatalogNote, ...]
) -> dict[str, ActorHandle[Any]]:
    """Starts every actor at once. On a cluster, those already there are kept.

    Keep the handles: Ray ends an actor that is not detached when its last handle is gone.
    """
    timelines, runtime = RemoteTimelines(), RemoteRuntime()
    options: Callable[[str], dict[str, Any]] = partial(_options, settings)
    handles = {NODE_AGENT: _NodeAgentActor.options(**options(NODE_AGENT)).remote(settings)}
    for name in verifier_names(settings):
        handles[name] = _VerifierActor.options(**options(name)).remote(
            settings, timelines, runtime, scaffold
        )
    pool = verifier_names(settings)
    ports: tuple[Timelines, Runtime, Gatekeeper, Browser] = (
        timelines,
        runtime,
        RemoteGatekeeper(pool),
        RemoteBrowser(pool),
    )
    for name in producer_names(settings):
        handles[name] = _ProducerHostActor.options(**options(name)).remote(
            name, settings, ports, (scaffold, catalog)
        )
    chores: tuple[Callable[[], Awaitable[object]], ...] = (
        *(partial(call_actor, name, "ready") for name in producer_names(settings)),
        partial(call_actor, NODE_AGENT, "stop_idle"),
    )
    handles[SUPERVISOR] = _SupervisorActor.options(**options(SUPERVISOR)).remote(
        settings, timelines, runtime, chores
    )
    return handles


def _options(settings: Settings, name: str) -> dict[str, Any]:
    lifetime = "detached" if settings.ray_address else None
    return {"name": name, "namespace": NAMESPACE, "lifetime": lifetime, "get_if_exists": True}
