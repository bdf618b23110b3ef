"""Known solutions: the exact limit of a difficulty, and a solution at every place of a range."""

import pytest

from actors.miner.scan import Template
from tests.support.kernels import (
    NEVER,
    THIN,
    dice_for,
    every_kernel,
    expected,
    scan,
    solutions,
    zero_bits,
)

ONE_BLOCK = (b"one block:", b":" + b"." * 20)
FOUR_BLOCKS = (b"four blocks, the nonce in the second:".ljust(90, b"."), b":" + b"." * 130)

# By place: a nonce whose hash begins with exactly so many zero bits. From `bits_table` in
# tests.support.kernels, which takes minutes for the last ones.
# fmt: off
BITS_OF_ONE_BLOCK = (
    4, 0, 3, 1, 9, 46, 156, 17,
    1_524, 944, 2_801, 1_475, 1_761, 4_245, 5_373, 3_173,
    163_795, 248_849, 52_881, 32_884, 1_806_906, 2_191_071, 3_061_077, 19_113_732,
    63_955_867, 151_442_187, 14_110_635, 79_778_983, 619_996_553, 2_268_674_980, 1_995_749_859, 4_027_046_373,
    8_548_931_059,
)
BITS_OF_FOUR_BLOCKS = (
    0, 4, 8, 32, 2, 39, 114, 46,
    183, 969, 877, 7_437, 1_409, 6_458, 13_083, 22_028,
    3_119, 1_128_143, 771_463, 1_830_755, 6_079_066, 8_482_523, 4_566_044, 6_554_595,
    7_316_526, 157_965_164,
)
# fmt: on
EXACT = [
    pytest.param(Template(*text, 0), nonce, bits, id=f"{len(text[0])}-{bits}")
    for text, table in ((ONE_BLOCK, BITS_OF_ONE_BLOCK), (FOUR_BLOCKS, BITS_OF_FOUR_BLOCKS))
    for bits, nonce in enumerate(table)
]

FIVE_DIGITS = Template(*ONE_BLOCK, 5)
LONE = BITS_OF_ONE_BLOCK[20]
"""The only solution of FIVE_DIGITS far and wide."""
CLEAR = 40_000
"""Nonces before and behind LONE that do not solve."""

# The last four digits of a nonce, and what stands before them in the least nonce from 10,000 on that
# ends so and solves ENDINGS. From `endings_table` in tests.support.kernels.
ENDINGS = Template(b"endings".ljust(70, b"-"), b"-" * 80, 4)
# fmt: off
LAST_DIGITS = {
    0: 14_734, 1: 40_494, 7: 42_657, 8: 43_961, 15: 3_613, 16: 8_393,
    31: 47_253, 32: 34_621, 33: 38_037, 63: 74_689, 64: 20_657, 255: 99_767,
    256: 366_635, 999: 22_564, 1000: 7_506, 1023: 14_984, 1024: 38_801, 4095: 11_174,
    4096: 289_257, 4999: 88_903, 5000: 30_669, 8191: 189_359, 8192: 91_790, 9951: 8_755,
    9952: 51_462, 9967: 3_829, 9968: 554, 9983: 182_676, 9984: 234_157, 9985: 27_204,
    9986: 3_308, 9987: 16_690, 9988: 169_417, 9989: 52_600, 9990: 106_884, 9991: 38_113,
    9992: 31_149, 9993: 9_067, 9994: 43_606, 9995: 16_780, 9996: 119_844, 9997: 44_233,
    9998: 32_395, 9999: 50_627,
}
# fmt: on


# -- difficulty --------------------------------------------------------------------------------------


@every_kernel
@pytest.mark.parametrize(("text", "nonce", "bits"), EXACT[::THIN])
def test_a_digit_counts_when_all_of_its_four_bits_are_zero(
    kernel: str, text: Template, nonce: int, bits: int
) -> None:
    assert zero_bits(text, nonce) == bits
    for difficulty in range(NEVER + 1):
        template = Template(text.prefix, text.suffix, difficulty)
        solved = bits >= 4 * difficulty
        assert scan(kernel, template, nonce, 1) == (nonce if solved else None, 1)


@every_kernel
@pytest.mark.parametrize(("text", "nonce", "bits"), EXACT[::THIN])
def test_a_near_miss_amid_a_range_is_passed_over(
    kernel: str, text: Template, nonce: int, bits: int
) -> None:
    template = Template(text.prefix, text.suffix, bits // 4 + 1)
    first = max(0, nonce - 123)
    for count in (nonce - first + 1, nonce - first + 50):
        assert scan(kernel, template, first, count) == expected(template, first, count)


# -- places in a range -------------------------------------------------------------------------------


def test_the_lone_solution_is_alone() -> None:
    assert solutions(FIVE_DIGITS, LONE - CLEAR, LONE + CLEAR) == (LONE,)


@every_kernel
@pytest.mark.parametrize("offset", [*range(66), *range(120, 132)][:: (THIN + 1) // 3 or 1])
def test_a_solution_in_any_lane_is_found_and_not_before_or_behind_the_range(
    kernel: str, offset: int
) -> None:
    first = LONE - offset
    assert scan(kernel, FIVE_DIGITS, first, offset) == (None, offset)
    for more in (1, 2, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 1_000):
        assert scan(kernel, FIVE_DIGITS, first, offset + more) == (LONE, offset + 1)
        assert scan(kernel, FIVE_DIGITS, LONE + 1, offset + more) == (None, offset + more)


@every_kernel
@pytest.mark.parametrize(
    "count", [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 9_999, 10_000, 10_001]
)
def test_a_range_ends_where_it_is_told_to(kernel: str, count: int) -> None:
    """The solution is one behind it, its last, its first, one before it."""
    assert scan(kernel, FIVE_DIGITS, LONE - count, count) == (None, count)
    if count:
        assert scan(kernel, FIVE_DIGITS, LONE - count + 1, count) == (LONE, count)
        assert scan(kernel, FIVE_DIGITS, LONE, count) == (LONE, 1)
    assert scan(kernel, FIVE_DIGITS, LONE + 1, count) == (None, count)


@every_kernel
def test_any_range_around_the_solution(kernel: str) -> None:
    dice = dice_for("around")
    for _ in range(120 // THIN):
        first = LONE + dice.randint(-CLEAR, 1_000)
        count = dice.randrange(CLEAR)
        hit = first <= LONE < first + count
        answer = (LONE, LONE - first + 1) if hit else (None, count)
        assert scan(kernel, FIVE_DIGITS, first, count) == answer, (first, count)


@every_kernel
@pytest.mark.parametrize("last", list(LAST_DIGITS)[::THIN])
def test_a_solution_with_any_last_four_digits_is_found(kernel: str, last: int) -> None:
    """Kernels vary the last four digits alone: here the solution is at all edges of such a sweep."""
    nonce = LAST_DIGITS[last] * 10_000 + last
    found = solutions(ENDINGS, nonce - 12_345, nonce + 1)
    assert found[-1] == nonce
    first = found[-2] + 1 if len(found) > 1 else nonce - 12_345  # far back, but none between
    for start in (first, nonce - nonce % 10_000, nonce - 1, nonce):
        if start >= first:
            assert scan(kernel, ENDINGS, start, 2**62) == (nonce, nonce - start + 1)
            assert scan(kernel, ENDINGS, start, nonce - start) == (None, nonce - start)


@every_kernel
@pytest.mark.parametrize("difficulty", [0, 1, 2])
def test_of_several_solutions_in_a_group_the_least_is_returned(
    kernel: str, difficulty: int
) -> None:
    for row in range(300 // THIN):
        dice = dice_for("several", difficulty, row)
        template = Template(dice.randbytes(row % 130), dice.randbytes(40), difficulty)
        first = dice.randrange(10**6)
        assert scan(kernel, template, first, 400) == expected(template, first, 400)
