"""What a person at a notebook did that cannot work, said in one message that names the fix."""


class UserError(Exception):
    """Shown without a traceback; its message says what to do."""
