"""The services of ``troupe.admin.v1``, a file each: ask actors, convert, answer."""
