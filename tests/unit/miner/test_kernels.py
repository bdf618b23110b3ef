"""Every kernel that the processor runs against ``hashlib``, over templates and ranges of all shapes."""

import pytest

from actors.miner.engine import NONCES
from actors.miner.scan import Template
from tests.support.kernels import (
    AVAILABLE,
    KNOWN,
    THIN,
    assert_finds_all,
    dice_for,
    every_kernel,
    expected,
    lacking,
    random_nonce,
    random_template,
    scan,
)

BLOCK = 64
"""SHA-256 takes the text in blocks of so many bytes."""
LONG = (64, 65, 100, 127, 128, 129, 191, 192, 2_900)
"""Beside every length modulo the block: one block more, two, and a block of ten transactions."""
WALK = 40
"""Nonces of a template that is one of thousands: more than any group of lanes."""
PADDED = (54, 55, 56, 57, 62, 63, 64, 65)
"""Lengths, modulo a block, around where the padding takes a block more and where it fills one."""


@pytest.mark.skipif(not AVAILABLE, reason="the extension is not built here")
def test_the_portable_kernel_runs_everywhere_and_is_the_last_resort() -> None:
    assert AVAILABLE[-1] == "portable"
    assert set(AVAILABLE) <= set(KNOWN)
    assert len(set(AVAILABLE)) == len(AVAILABLE)


@pytest.mark.parametrize("name", KNOWN)
def test_a_kernel_is_among_the_tested_ones(name: str) -> None:
    """Skipped once for each that is not, and says why; all other tests run those that are."""
    if name not in AVAILABLE:
        pytest.skip(lacking(name))
    template = Template(b"1:", b":", 1)
    assert scan(name, template, 0, 100) == expected(template, 0, 100)


# -- lengths -----------------------------------------------------------------------------------------


@every_kernel
@pytest.mark.parametrize("prefixes", range(0, BLOCK, 16))
def test_all_lengths_of_prefix_and_suffix_modulo_a_block(kernel: str, prefixes: int) -> None:
    for prefix in range(prefixes, prefixes + 16):
        for suffix in range(prefix % THIN, BLOCK, THIN):
            dice = dice_for("lengths", prefix, suffix)
            template = random_template(dice, prefix, suffix, 1)
            first = random_nonce(dice, WALK)
            assert_finds_all(kernel, template, first, first + WALK)


@every_kernel
def test_prefixes_and_suffixes_of_several_blocks(kernel: str) -> None:
    for row, (prefix, suffix) in enumerate((p, s) for p in (0, 33, *LONG) for s in (0, 33, *LONG)):
        if row % THIN:
            continue
        dice = dice_for("long", prefix, suffix)
        template = random_template(dice, prefix, suffix, 1)
        first = random_nonce(dice, 100)
        assert_finds_all(kernel, template, first, first + 100)


@every_kernel
@pytest.mark.parametrize("digits", range(1, 21))
def test_a_nonce_that_crosses_a_block_boundary_at_every_place(kernel: str, digits: int) -> None:
    least, most = 10 ** (digits - 1) if digits > 1 else 0, min(10**digits, NONCES)
    for before in range(digits + 1):  # `digits` before it: the nonce ends where the block does
        for block in (1, 3):
            dice = dice_for("split", digits, before, block)
            template = random_template(dice, block * BLOCK - before, dice.randrange(150), 1)
            first = dice.randrange(least, max(least + 1, most - 100))
            assert_finds_all(kernel, template, first, min(first + 100, most))


@every_kernel
@pytest.mark.parametrize("length", PADDED)
def test_padding_that_just_fits_and_that_takes_a_block_of_its_own(kernel: str, length: int) -> None:
    for digits in range(1, 21):
        dice = dice_for("padding", length, digits)
        for blocks in (0, 1, 2):
            bytes_besides = BLOCK * blocks + length - digits
            prefix = dice.randint(0, bytes_besides)
            template = random_template(dice, prefix, bytes_besides - prefix, 1)
            first = dice.randrange(10 ** (digits - 1), min(10**digits, NONCES) - 5)
            assert_finds_all(kernel, template, first, min(first + 60, 10**digits, NONCES))


@every_kernel
def test_no_prefix_and_no_suffix(kernel: str) -> None:
    assert_finds_all(kernel, Template(b"", b"", 2), 0, 30_000 // THIN)


@every_kernel
@pytest.mark.parametrize(("prefix", "suffix"), [(2**20, 80), (2**20 - 3, 0), (30, 200_000)])
def test_templates_of_a_megabyte(kernel: str, prefix: int, suffix: int) -> None:
    template = random_template(dice_for("huge", prefix), prefix, suffix, 1)
    assert_finds_all(kernel, template, 99_990, 99_990 + 24)


# -- nonces ------------------------------------------------------------------------------------------


@every_kernel
@pytest.mark.parametrize("power", range(20))
def test_nonces_across_a_power_of_ten(kernel: str, power: int) -> None:
    dice = dice_for("powers", power)
    for prefix in (0, 31, *(dice.randrange(150) for _ in range(18 // THIN))):
        template = random_template(dice, prefix, dice.randrange(150), 1)
        reach = dice.randrange(1, 120)
        assert_finds_all(kernel, template, max(0, 10**power - reach), 10**power + 120 - reach)


@every_kernel
def test_the_last_nonce_is_tried_and_none_behind_it(kernel: str) -> None:
    for row in range(20):
        dice = dice_for("last", row)
        template = random_template(dice, dice.randrange(150), dice.randrange(150), 1)
        assert_finds_all(kernel, template, NONCES - 300, NONCES)
        assert scan(kernel, template, NONCES - 1, 1) == expected(template, NONCES - 1, 1)


@every_kernel
def test_an_easy_template_is_solved_by_the_first_nonce_whatever_it_is(kernel: str) -> None:
    for row in range(400 // THIN):
        dice = dice_for("zero", row)
        template = random_template(dice, dice.randrange(150), dice.randrange(150), 0)
        first = random_nonce(dice, 40)
        assert scan(kernel, template, first, dice.choice([1, 2, 40])) == (first, 1)


@every_kernel
def test_long_ranges_from_anywhere_to_anywhere(kernel: str) -> None:
    """Whole sweeps of ten thousand nonces, which a kernel may treat alike, and parts of them."""
    for row in range(24 // THIN):
        dice = dice_for("long ranges", row)
        template = random_template(dice, dice.randrange(150), dice.randrange(80), row % 4)
        count = dice.randrange(45_000) if row % 4 > 1 else 800
        first = random_nonce(dice, count)
        assert_finds_all(kernel, template, first, first + count)


@every_kernel
@pytest.mark.parametrize("difficulty", [1, 2, 3])
def test_ranges_of_every_small_length(kernel: str, difficulty: int) -> None:
    dice = dice_for("small ranges", difficulty)
    template = random_template(dice, 77, 133, difficulty)
    for count in range(140):
        first = random_nonce(dice, 140)
        assert scan(kernel, template, first, count) == expected(template, first, count)


@every_kernel
@pytest.mark.parametrize("count", [9_999, 10_000, 10_001, 20_000])
def test_ranges_about_as_long_as_a_sweep(kernel: str, count: int) -> None:
    dice = dice_for("sweeps", count)
    for offset in (0, 1, 5_000, 9_999):
        template = random_template(dice, dice.randrange(64), dice.randrange(64), 3)
        assert_finds_all(kernel, template, 120_000 + offset, 120_000 + offset + count)


@every_kernel
def test_hopeless_difficulties_end_with_the_range(kernel: str) -> None:
    dice = dice_for("hopeless")
    for difficulty in (8, 9, 10, 15, 16, 17, 63, 64):
        template = random_template(dice, 60, 60, difficulty)
        count = dice.randrange(70_000 // THIN)
        assert scan(kernel, template, 9_000, count) == (None, count)
