from actors.chain.locator import MAX_LOCATOR_HASHES, locator_numbers, make_locator


def hash_at(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_the_last_ten_are_named_then_doubling_steps_then_genesis() -> None:
    expected = (100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 89, 85, 77, 61, 29, 0)
    assert locator_numbers(100, 32) == expected


def test_a_short_chain_is_named_whole() -> None:
    assert locator_numbers(0, 32) == (0,)
    assert locator_numbers(3, 32) == (3, 2, 1, 0)


def test_truncation_keeps_genesis() -> None:
    numbers = locator_numbers(2**62, MAX_LOCATOR_HASHES)
    assert len(numbers) == MAX_LOCATOR_HASHES
    assert numbers[-1] == 0


def test_a_download_in_progress_starts_at_the_last_block_received() -> None:
    locator = make_locator(100, hash_at, b"s" * 32)
    assert locator[:2] == (b"s" * 32, hash_at(100))
    assert locator[-1] == hash_at(0)
    assert len(make_locator(2**62, hash_at, b"s" * 32)) == MAX_LOCATOR_HASHES
