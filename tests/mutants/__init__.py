"""Defects put into the sources on purpose, one at a time: `python -m tests.mutants` says whether tests notice."""
