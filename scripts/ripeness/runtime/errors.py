"""Define the error for mistakes of a user."""

NEUTRAL = True  # no number depends on this module, see ripeness.workflow.code_digest


class UserError(Exception):
    """Something that only the user can put right.

    The message names the value, the choices, and ends with a line ``hint: ...`` that says what to do. Programs
    print it without a traceback and end with exit status 2.
    """
