"""Why there is no back-test, or none that came to its end.

BacktestError
├── BadData (ValueError)     yours: files that cannot be given to the feeds, or none for one of them
├── BadManner (ValueError)   yours: assumptions that cannot be made
└── BadSweep (ValueError)    yours: parameters that cannot be swept
"""


class BacktestError(Exception):
    """Base of all that goes wrong with a back-test itself."""


class BadData(BacktestError, ValueError):
    """Files that cannot be given to the feeds, or none for one of them."""


class BadManner(BacktestError, ValueError):
    """Assumptions that cannot be made."""


class BadSweep(BacktestError, ValueError):
    """Parameters that cannot be swept."""
