"""Django's engine for SQLite."""
