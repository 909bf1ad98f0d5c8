"""What runs by the clock, beside the requests."""
