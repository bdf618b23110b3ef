"""``python -m admin.cli`` is ``troupe``."""

from admin.cli.main import main

main()
