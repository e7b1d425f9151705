"""The service's front: URLs, WSGI and ASGI."""
