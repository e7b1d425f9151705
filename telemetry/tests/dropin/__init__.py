"""The drop-in suite: one site and one script, watched by django-prometheus and by ours, side by side."""
