"""GeoDjango's engine for PostgreSQL."""
