"""Django's engine for PostgreSQL."""
