"""Use cases: one function is one intention and one transaction boundary."""
