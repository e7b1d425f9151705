"""Cache backends under the names of django-prometheus: the originals, for every cache is counted as it is."""
