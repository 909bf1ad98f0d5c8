"""The HTTP door: `api.py` lists every route, one file for each resource beside it."""
