"""Downloads from our kind of peer: `chain:get_blocks`, batch after batch (WIRE: extensions)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from actors.chain.course import Course, Question
from actors.chain.line import MAX_DOWNLOADED, Batch, Line
from actors.chain.messages import BlockOutcome, BlockVerdict
from actors.chain.room import Late, Room
from actors.chain.sync import (
    BATCH_TIMEOUT_S,
    MAX_KNOWN_BATCHES,
    POINTS,
    BatchFault,
    Expected,
    judge_batch,
    next_locator,
    room_bytes,
)
from actors.chain.tree import Header, Status
from actors.chain.wire import GET_BLOCKS_KIND, encode_locator
from actors.ledger.types import Block, BlockRef
from actors.messaging.messages import Response, SendRequest
from actors.peers.messages import Misbehaved, PeerId
from actors.runtime.restraint import Restraint

log = logging.getLogger(__name__)

MAX_QUESTIONS = 4
"""Out at a time for all branches, but for late ones: their answers are 512 KiB each, and one branch needs
one. Those who let us wait share them; a late one makes room for another."""
MAX_HEDGES = 3
"""Peers asked for the same batch, the first of them included: two late ones may have one reason."""

_FAULTS = {
    BlockOutcome.INVALID: BatchFault.INVALID,
    BlockOutcome.INVALIDATED: BatchFault.INVALIDATED,
    BlockOutcome.ORPHAN: BatchFault.UNLINKED,
}


class Downloads:
    """Follows the branches of the peers that claim more than we have, until none does.

    The peers of one branch are asked in turn, and another one as well when an answer is late. Who turns
    out to stand on another branch has a course of its own beside it, so that nobody keeps us from
    anybody's chain. A claim costs nothing: each answer is held against what an honest one would be, and a
    peer that fails is broken off with.
    """

    def __init__(self, room: Room, line: Line, ask_again: Callable[[PeerId], None]) -> None:
        """Take capabilities besides the room's.

        Args:
            room: Shared with the other handlers.
            line: Where batches go.
            ask_again: Called for a peer that failed and may do better later.
        """
        self._store, self._network, self._table = room.store, room.network, room.table
        self._to, self._me, self._tokens = room.to, room.me, room.tokens
        self._clock, self._line, self._ask_again = room.clock, line, ask_again
        self._begun, self._ended = Restraint(log), Restraint(log)
        self._courses: list[Course] = []
        """The next in turn first. Each has a peer of its own, so they are as bounded as the peers."""
        self._questions: dict[int, Question] = {}
        """By token; one a peer."""

    @property
    def busy(self) -> bool:
        return bool(self._courses) or self._line.downloaded > 0

    @property
    def bring_more(self) -> bool:
        """Whether blocks are in hand, or come soon from somebody who has just sent new ones. That somebody
        claims to have more is not enough: with news nobody waits for a liar.
        """
        return self._line.downloaded > 0 or any(
            question.course is not None
            and question.course.members.get(question.peer) == 0
            and not question.late
            for question in self._questions.values()
        )

    def left(self) -> int:
        """How many blocks of the longest branch are missing, by what its peers claim."""
        left = 0
        for course in self._courses:
            at = self._height() if course.last is None else course.last.number
            asked = {q.peer for q in self._questions.values() if q.course is course}
            for peer in course.members.keys() | asked:
                known = self._table.get(peer)
                left = max(left, 0 if known is None else (known.height or 0) - at)
        return left + self._line.blocks

    def forget(self) -> None:
        """The links are gone, and with them the answers; what has come is good."""
        for question in self._questions.values():
            question.timer.cancel()
        self._courses.clear()
        self._questions.clear()

    # -- questions --------------------------------------------------------------------------------

    def seek(self) -> None:
        """Ask for what is to be asked for next, as far as there is room for the answers."""
        self._courses = [c for c in self._courses if c.asked or c.halted or self._claimants(c)]
        if not self._courses and self._table.above(self._height()):
            self._courses.append(Course())
        for course in tuple(self._courses):
            on_time = sum(not question.late for question in self._questions.values())
            if self._line.downloaded >= MAX_DOWNLOADED or on_time >= MAX_QUESTIONS:
                return
            if not (course.asked or course.halted) and self._ask(course):
                self._courses.remove(course)
                self._courses.append(course)

    def on_late(self, late: Late) -> None:
        """Ask somebody else for the same batch: the first good answer counts, and nobody is blamed."""
        question = self._questions.get(late.token)
        if question is None:
            return
        question.late = True
        course = question.course
        if course is not None and len(course.asked) < MAX_HEDGES and self._ask(course):
            log.debug("%s is late: somebody else is asked as well", question.peer)

    def _height(self) -> int:
        """Of the highest block that is ours or on its way into the store."""
        last = self._line.last()
        return max(self._store.tip().number, 0 if last is None else last.number)

    def _claimants(self, course: Course) -> list[PeerId]:
        """The peers that claim more of a course: its members, and those that are on none."""
        above = self._height() if course.last is None else course.last.number
        elsewhere = {
            peer for other in self._courses if other is not course for peer in other.members
        }
        height = max(above, self._store.tip().number)
        return [peer for peer in self._table.above(height) if peer not in elsewhere]

    def _ask(self, course: Course) -> bool:
        """Ask whose turn it is for the next batch; False: nobody who might have it is free."""
        busy = {question.peer for question in self._questions.values()}
        free = [peer for peer in self._claimants(course) if peer not in busy]
        peer = course.short if course.short in free else self._table.take_turn(free)
        known = self._table.get(peer)
        if peer is None or known is None:
            return False
        if course.last is None:
            told = (peer, known.height)
            self._begun.info(self._clock.now_s(), "downloading from %s up to height %s", *told)
        token, claimed = next(self._tokens), known.height or 0
        locator = self._locator(
            course.last or self._line.last() or self._side(known.reached) or self._avoided()
        )
        course.asked.add(token)
        self._questions[token] = Question(
            peer,
            known.conn,
            course,
            claimed,
            locator,
            self._clock.now_s(),
            self._clock.tell_after(known.late_s, self._me, Late(token)),
        )
        payload = encode_locator(locator)
        self._to.messaging.tell(
            SendRequest(known.conn, GET_BLOCKS_KIND, payload, token, self._me, BATCH_TIMEOUT_S)
        )
        return True

    def _locator(self, last: BlockRef | None) -> tuple[bytes, ...]:
        run = () if last is None else self._line.run_below(last.hash)
        received = {ref.number: ref.hash for ref in run}
        return next_locator(self._store.tip().number, self._store.hash_at, last, received)

    # -- answers ----------------------------------------------------------------------------------

    def on_response(self, response: Response) -> None:
        """Take a batch into the line, or give up the peer."""
        question = self._questions.pop(response.token, None)
        if question is None:
            return
        question.timer.cancel()
        took_s = self._clock.now_s() - question.asked_s
        self._table.note_answer(question.peer, took_s)
        course = question.course
        if response.payload is None:
            # Sooner than that it was the connection that ended, or we asked too much at once.
            self._give_up(question.peer, BatchFault.NO_ANSWER, blame=took_s >= BATCH_TIMEOUT_S)
        elif course is not None:
            judged = judge_batch(
                response.payload, self._network, self._header, self._expected(question, course)
            )
            if isinstance(judged, BatchFault):
                self._give_up(question.peer, judged)
            else:
                self._take(question, course, judged)
        if course is not None:
            course.asked.discard(response.token)

    def _expected(self, question: Question, course: Course) -> Expected:
        """What holds for the answer, whichever branch the peer turns out to stand on."""
        peer, last = question.peer, course.last
        is_only_its = peer in course.members and course.is_of(peer)
        return Expected(
            last.number if last is not None and is_only_its else 0,
            frozenset(question.locator),
            course.room_bytes if course.short == peer else 0,
        )

    def _take(self, question: Question, course: Course, blocks: tuple[Block, ...]) -> None:
        peer, parent, end = question.peer, blocks[0].parent_hash, blocks[-1].ref
        if course.last is not None and parent != course.last.hash and not course.is_of(peer):
            course.members.pop(peer, None)
            course = Course()
            self._courses.append(course)
        for token in course.asked:
            if (asked := self._questions.get(token)) is not None:
                asked.course = None
        course.asked.clear()
        course.last = end
        stale = self._header(end.hash)  # and with it all its ancestors
        known_batches = 0 if stale is None else course.members.get(peer, 0) + 1
        course.members[peer] = known_batches
        course.room_bytes = room_bytes(blocks, question.claimed)
        course.short = peer if course.room_bytes else None
        course.halted = stale is None and self._is_invalidated(blocks)
        if stale is None:
            self._line.add(blocks, peer)
        elif stale.status is Status.INVALID:
            self._give_up(peer, BatchFault.INVALID)
        elif stale.status.is_invalidated:
            self._give_up(peer, BatchFault.INVALIDATED)
        elif known_batches > MAX_KNOWN_BATCHES:
            self._give_up(peer, BatchFault.KNOWN)

    def on_imported(self, batch: Batch, verdicts: Sequence[BlockVerdict]) -> None:
        """Look at what became of a peer's batch: with a bad one goes all that stands on it."""
        for course in self._courses:
            course.halted = course.halted and course.last != batch.blocks[-1].ref
        faults = [_FAULTS[verdict.outcome] for verdict in verdicts if verdict.outcome in _FAULTS]
        if batch.source is None:
            return
        if not faults:
            self._table.was_of_use(batch.source)
            return
        bad = {v.hash for v in verdicts if v.hash is not None and v.outcome in _FAULTS}
        bad = self._line.drop_above(bad)
        for course in tuple(self._courses):
            if course.last is not None and course.last.hash in bad:
                self._courses.remove(course)
                self._end(course)
                for member in course.members.keys() - {batch.source}:
                    self._give_up(member, faults[0], blame=False)
        self._give_up(batch.source, faults[0], reached=batch.blocks[-1].ref)

    def _end(self, course: Course) -> None:
        for question in self._questions.values():
            if question.course is course:
                question.course = None

    def _give_up(
        self,
        peer: PeerId,
        fault: BatchFault,
        *,
        reached: BlockRef | None = None,
        blame: bool = True,
    ) -> None:
        """Go on without a peer; it counts again when it was asked again, after a while."""
        points = POINTS[fault] if blame else 0
        write = self._ended.warning if points else self._ended.info
        write(self._clock.now_s(), "no more blocks from %s: it sent %s", peer, fault.value)
        for course in self._courses:
            if peer in course.members:
                reached = reached or course.last
                self._leave(course, peer)
        self._table.forget_height(peer, self._side(reached))
        self._ask_again(peer)
        if points:
            self._to.peers.tell(Misbehaved(peer, points, fault.value))

    def _leave(self, course: Course, peer: PeerId) -> None:
        """Take a peer off a course; where nobody else vouches for it, it is worth what we have of it."""
        del course.members[peer]
        last = course.last
        if last is not None and not course.members and self._line.header(last.hash) is None:
            course.last = self._side(last)

    # -- what we have -----------------------------------------------------------------------------

    def _header(self, block_hash: bytes) -> Header | None:
        """Of a block that is stored, or on its way there."""
        return self._line.header(block_hash) or self._store.header(block_hash)

    def _avoided(self) -> BlockRef | None:
        """The highest block that the operator does not follow: who has it sends only what is above it."""
        highest = self._store.highest_invalidated()
        return None if highest is None else highest.ref

    def _is_invalidated(self, blocks: Sequence[Block]) -> bool:
        """Whether the operator does not follow these, as far as we know before we take them."""
        ends = (blocks[0].parent_hash, blocks[0].hash, blocks[-1].hash)
        headers = (self._store.header(block_hash) for block_hash in ends)
        return any(header is not None and header.status.is_invalidated for header in headers)

    def _side(self, ref: BlockRef | None) -> BlockRef | None:
        """The block, if it is a stored one of a side branch: better to go on from than our tip."""
        if ref is None or self._store.header(ref.hash) is None or self._store.is_canonical(ref):
            return None
        return ref
