"""Adapters of the SMS port."""
