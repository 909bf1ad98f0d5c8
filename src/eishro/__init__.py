"""EISHRO: a headless, multi-store e-commerce backend for Libya."""

__version__ = "0.1.0"
