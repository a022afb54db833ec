"""An application from a file: TOML, looked through as a whole, with every mistake told at once."""

from .changes import BadChange as BadChange, Change as Change
from .loading import load as load
from .problems import BadConfig as BadConfig, Problem as Problem
