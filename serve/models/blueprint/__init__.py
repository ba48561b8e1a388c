"""`blueprint`, the built-in offline builder: a deterministic program behind the model protocol.

It is no language model. It derives an app from a message by grammar and lexicon, and speaks only
through messages and tools, exactly as a real model would. Pure: no Ray, no I/O but its own data.
"""
