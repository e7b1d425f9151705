"""GeoDjango's engine for SQLite."""
