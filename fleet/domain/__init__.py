"""Frozen types, enums and pure decisions. No I/O; time is an argument."""
