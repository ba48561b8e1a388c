"""Everything that runs on Ray, started together. Heavy to import, so `serve.launch` does it while
Ray itself is still starting."""

from __future__ import annotations

from typing import Any

from ray import serve

from actors.remote import start_actors
from catalog.catalog import CatalogScaffold, catalog_notes
from fleet.settings import Settings
from serve.chat.deployment import chat_application
from serve.gateway.deployment import start_gateway
from serve.models.deployment import models_application


def start_applications(settings: Settings, internal_port: int) -> dict[str, Any]:
    """Actors first: their processes load while Serve brings up its own. Returns their handles."""
    handles: dict[str, Any] = dict(start_actors(settings, CatalogScaffold(), catalog_notes()))
    handles["Gateway"] = start_gateway(settings, internal_port)
    serve.start(http_options={"host": "127.0.0.1", "port": internal_port})
    serve.run_many(
        [
            serve.RunTarget(models_application(), name="models", route_prefix="/models"),
            serve.RunTarget(chat_application(settings), name="chat", route_prefix="/"),
        ]
    )
    return handles
