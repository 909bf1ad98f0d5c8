"""Who we plug into: one file for each vendor, each fulfilling a port."""
