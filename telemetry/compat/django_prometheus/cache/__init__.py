"""Caches under the names of django-prometheus."""
