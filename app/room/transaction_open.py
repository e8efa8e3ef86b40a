"""The refusal to end a unit inside a transaction; a RuntimeError, which cannot be compiled."""


class TransactionOpen(RuntimeError):
    """A unit cannot end inside a transaction."""
