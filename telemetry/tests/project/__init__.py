"""A small Django project for tests: one view of every sort, behind the middlewares most projects have."""
