"""Programs that hold a node under a load for longer than a test may take."""
