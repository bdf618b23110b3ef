"""Each target on its seeds, on what ever failed, and on inputs that hypothesis makes of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.inventory import HERE, TARGETS, inputs, load

EXAMPLES = 100
WHOLE_NODES = {"nodes": 20, "requests": 20}
"""An input of these costs as much as hundreds of the others. Some seconds for all together; `make fuzz` is
for more.
"""
MAX_KEPT_BYTES = 400 * 1024
"""Of all seeds and crashes: they are read with every run of the tests, and are part of the sources."""

edits = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2**12), st.binary(max_size=8)), max_size=4
)


def edited(seed: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """A seed with bytes put over others, put between them, or taken out."""
    data = bytearray(seed)
    for kind, where, new in changes:
        at = where % (len(data) + 1)
        data[at : at + (0, len(new), 1 + len(new))[kind]] = b"" if kind == 2 else new
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS)
def test_the_seeds_do_what_they_may(target: str) -> None:
    one_input = load(target)
    seeds = list(inputs("corpus", target))
    assert seeds, "a target begins from something"
    for path in seeds:
        one_input(path.read_bytes())


@pytest.mark.parametrize(
    ("target", "name"),
    [(target, path.name) for target in TARGETS for path in inputs("crashes", target)],
)
def test_what_failed_once_does_not_again(target: str, name: str) -> None:
    load(target)((HERE / "crashes" / target / name).read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_inputs_near_the_seeds_do_what_they_may(target: str) -> None:
    one_input = load(target)
    seeds = [path.read_bytes() for path in inputs("corpus", target)]

    @settings(
        max_examples=WHOLE_NODES.get(target, EXAMPLES),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.builds(edited, st.sampled_from([b"", *seeds]), edits) | st.binary(max_size=600))
    def play(data: bytes) -> None:
        one_input(data)

    play()


def test_seeds_and_crashes_stay_few() -> None:
    kept = [path for folder in ("corpus", "crashes") for path in (HERE / folder).rglob("*")]
    assert sum(path.stat().st_size for path in kept if path.is_file()) < MAX_KEPT_BYTES
