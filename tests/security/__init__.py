"""Attacks, each a named test that fails if it would succeed."""
