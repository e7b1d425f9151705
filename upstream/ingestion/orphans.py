"""Uploads that no batch has: a process was killed between the file and the row, or the other way round."""

from __future__ import annotations

import datetime

from django.utils import timezone

from upstream.models import ClaimBatch

AGE = datetime.timedelta(days=1)
"""How old such a file is before it is taken for forgotten."""


def remove_orphans() -> int:
    """Remove them, because what is in an upload is private; how many there were."""
    field = ClaimBatch._meta.get_field("file")
    storage, folder = field.storage, str(field.upload_to)
    try:
        names = storage.listdir(folder)[1]
    except FileNotFoundError:
        return 0
    waiting = set(ClaimBatch.objects.exclude(file="").values_list("file", flat=True))
    orphans = [path for name in names if (path := f"{folder.rstrip('/')}/{name}") not in waiting]
    old = [path for path in orphans if storage.get_modified_time(path) < timezone.now() - AGE]
    for path in old:
        storage.delete(path)
    return len(old)
