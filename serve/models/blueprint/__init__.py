"""`blueprint`, the built-in offline builder: a deterministic program behind the model protocol.

It is no language model. It derives an app from a message by grammar and lexicon, and speaks only
through messages and tools, exactly as a real model would. Pure: no Ray, no I/O but its own data.
"""

from serve.models.blueprint.fault import (
    EXPECTED_END,
    Behaviour,
    End,
    Fault,
    behaviour_of,
    parse_model_name,
)
from serve.models.blueprint.speak import DESCRIPTION, MODEL_NAMES, Spoken, describe, speak

__all__ = [
    "DESCRIPTION",
    "EXPECTED_END",
    "MODEL_NAMES",
    "Behaviour",
    "End",
    "Fault",
    "Spoken",
    "behaviour_of",
    "describe",
    "parse_model_name",
    "speak",
]
