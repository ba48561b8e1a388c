"""appfleet: a chat message becomes a running, verified, releasable full-stack app.

This package is the product without Ray; `ARCHITECTURE.md` is the map.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("appfleet")
except PackageNotFoundError:  # a bare checkout, before `make setup`
    __version__ = "0.0.0"
