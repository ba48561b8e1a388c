"""Figures, measured on this machine with the platform up; each prints a table and writes JSON."""
