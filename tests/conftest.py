"""What all tests stand on."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
"""How long an example takes is the machine's affair: it says nothing about what is so."""


def pytest_configure() -> None:
    """A shell that starts the tests in the background has them ignore interrupts, and so would what they
    start: some tests interrupt a command.
    """
    settings.load_profile("any machine")
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
