"""What every adapter of a port must do: one suite per port, run against each real server."""
