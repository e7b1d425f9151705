"""Other names for what this package does."""
