"""A lease is the right to work on something for a while; its token fences every write."""

from __future__ import annotations

from datetime import datetime

from fleet.domain.frozen import Frozen


class Lease(Frozen):
    """`key` names the thing ("build:bld_x", "converge:crm-x7k2p"); `token` only ever grows."""

    key: str
    token: int
    holder: str
    expires_at: datetime
