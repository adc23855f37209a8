"""What can be wrong with data."""


class DataError(ValueError):
    """Documents cannot be read, split, stored or batched; one sentence names what, and the fix."""
