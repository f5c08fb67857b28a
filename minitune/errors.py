"""The one exception that a user's mistake raises."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input. Its text is one sentence: what was found, where, what was expected, how to mend it.

    The command line prints it without a traceback and exits with status 2.
    """
