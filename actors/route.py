"""What the node agent tells the gateway about a host name."""

from __future__ import annotations

from fleet.domain.frozen import Frozen
from fleet.domain.workload import WorkloadState


class Route(Frozen):
    """Where a host name leads now; `socket` is set when `state` is AWAKE.

    `known` is False when there is no such app; `built` is False before its first green commit.
    """

    known: bool
    built: bool = False
    state: WorkloadState = WorkloadState.ABSENT
    socket: str = ""
    explanation: str = ""
    log: str = ""
