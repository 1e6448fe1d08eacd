"""Faults on purpose: what telephone lines, networks, databases and models do, and who may not notice."""
