"""Carriers that deliver; none is built in yet."""
