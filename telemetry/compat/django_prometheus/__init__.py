"""The names of django-prometheus 2.5.0, for projects that move: same modules, same call shapes."""
