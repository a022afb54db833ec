"""The commands, a module each: what they take, and how they say what went wrong. The work is done elsewhere.

Modules are imported for `--help`, so they import nothing but click until their command runs.
"""
