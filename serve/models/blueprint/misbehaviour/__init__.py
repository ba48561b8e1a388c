"""How weak models misbehave: each fault turns the right answer into what such a model would say.

`detour` holds what is done instead of the work, `form` how calls are sent, `mixture` what a seed
draws. All read the conversation alone, and stop when the platform's answers say so.
"""

from serve.models.blueprint.misbehaviour.mixture import act, mistake_of

__all__ = ["act", "mistake_of"]
