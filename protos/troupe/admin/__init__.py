"""The admin contract of Troupe, by version."""
