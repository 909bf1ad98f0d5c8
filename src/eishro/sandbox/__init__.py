"""For development and tests: simulators of gateways, the mail outbox, the demo stores."""
