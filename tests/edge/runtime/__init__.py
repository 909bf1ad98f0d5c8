"""What runs inside Pyodide and beside it; see host.mjs."""
