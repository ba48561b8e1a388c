"""Timelines on one machine: copy-on-write Postgres data directories behind stable sockets."""

from fleet.drivers.postgres.timelines.local import LocalTimelines

__all__ = ["LocalTimelines"]
