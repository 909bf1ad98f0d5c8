"""Messages: what the shop tells people by mail, and the port that carries it."""
