"""The ceiling: the same reads and the same rows with nothing around them that a shop needs."""
