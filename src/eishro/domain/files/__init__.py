"""Files: the port behind images and documents."""
