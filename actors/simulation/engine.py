"""Simulated mining hardware: finds a real nonce, and takes a seeded, simulated time for it."""

from __future__ import annotations

import random

from actors.miner.engine import ScanExhausted, ScanFound, ScanJob, ScanResult
from actors.miner.scan import scan
from actors.runtime.address import Address
from actors.runtime.clock import Clock, Timer


class SimEngine:
    """A scan engine for networks of difficulty 0 to 2; the time to a solution is exponential."""

    def __init__(
        self,
        results: Address[ScanResult],
        clock: Clock,
        rng: random.Random,
        *,
        mean_s: float = 10.0,
    ) -> None:
        self._results, self._clock, self._rng, self._mean_s = results, clock, rng, mean_s
        self._timer: Timer | None = None
        self._result: ScanResult | None = None
        self._threads = 1

    native = False
    note = ""

    @property
    def name(self) -> str:
        return "simulated"

    def start(self, job: ScanJob) -> None:
        self.cancel()
        nonce, hashes = scan(job.template, job.first, job.end - job.first, lambda: False)
        self._result = ScanExhausted(job.job_id)
        if nonce is not None:
            self._result = ScanFound(job.job_id, nonce, hashes)
        self._run()

    def _run(self) -> None:
        assert self._result is not None
        delay_s = self._rng.expovariate(self._threads / self._mean_s)
        self._timer = self._clock.tell_after(delay_s, self._results, self._result)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def set_threads(self, threads: int) -> None:
        """The search has no memory: what is left of it takes as long as a new one."""
        if threads != self._threads:
            self._threads = threads
            self._run_anew()

    def set_mean(self, mean_s: float) -> None:
        """Be other hardware from now on: how long a solution takes on one thread."""
        self._mean_s = mean_s
        self._run_anew()

    def _run_anew(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._run()

    def stop(self) -> None:
        self.cancel()
