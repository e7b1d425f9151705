"""Engines for settings that name them: each is Django's own."""
