"""Generated from the admin contract beside it; import :mod:`troupe.admin.v1`."""
