from actors.tcp.credit import Credit


def test_credit_counts_down_to_nothing() -> None:
    credit = Credit(4, 100)
    credit.take(3, 30)
    assert credit.free_frames == 1
    credit.take(1, 10)
    assert credit.free_frames == 0
    assert credit.outstanding == 4


def test_once_used_up_it_opens_again_at_half() -> None:
    credit = Credit(4, 100)
    credit.take(4, 40)
    credit.give_back(1)
    assert credit.free_frames == 0
    credit.give_back(1)
    assert credit.free_frames == 2


def test_before_it_is_used_up_each_frame_handled_counts_at_once() -> None:
    credit = Credit(4, 100)
    credit.take(3, 30)
    credit.give_back(1)
    assert credit.free_frames == 2


def test_bytes_are_limited_as_frames_are() -> None:
    credit = Credit(10, 100)
    credit.take(2, 100)
    assert credit.free_frames == 0
    credit.give_back(1)
    assert credit.free_frames == 0
    credit.give_back(1)
    assert credit.free_frames == 10


def test_one_frame_above_the_byte_limit_is_carried() -> None:
    credit = Credit(10, 100)
    credit.take(1, 1_000)
    assert credit.free_frames == 0
    credit.give_back(1)
    assert credit.free_frames == 10


def test_frames_of_several_batches_return_together() -> None:
    credit = Credit(10, 100)
    credit.take(3, 30)
    credit.take(3, 40)
    credit.give_back(6)
    assert credit.outstanding == 0
    assert credit.free_frames == 10


def test_more_than_was_taken_cannot_be_given_back() -> None:
    credit = Credit(4, 100)
    credit.take(1, 10)
    credit.give_back(5)
    assert credit.free_frames == 4
