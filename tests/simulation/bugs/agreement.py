"""Planted bugs in what nodes agree upon: forks, votes, slots, clocks."""

from __future__ import annotations

from dataclasses import replace

from protocol.genesis import FINALITY_BITSHARES
from tests.simulation import mutants
from tests.simulation.bug import Attacked, Bug, ByTest, Drawn, Kept, bug
from tests.simulation.bugs.conditions import CALM_KEYS, PARTED, SPLITS
from tests.simulation.finality import Attack

FORK_CHOICE = (
    bug(
        "length alone",
        "fork choice",
        "those who know more justified blocks cannot vote for a longer chain that has fewer (F6)",
        Attacked(CALM_KEYS, "liveness"),
        "node/chain/fork_database.py",
        "ForkItem.rank",
        "return self.justified_num, self.num",
        "return 0, self.num",
    ),
    bug(
        "the highest block first",
        "fork choice",
        "a longer chain wins over one that more has voted for; that decides between equals (F6)",
        ByTest(
            "tests/unit/test_finality.py::test_the_chain_with_the_highest_justified_block_wins_against_a_longer_one"
        ),
        "node/chain/fork_database.py",
        "ForkItem.rank",
        "return self.justified_num, self.num",
        "return self.num, self.justified_num",
    ),
    bug(
        "a switch for nothing",
        "fork choice",
        "a chain that is only as good is switched to (F6)",
        ByTest("tests/unit/test_chain_forks.py::test_the_longer_branch_wins"),
        "node/chain/chain.py",
        "Chain.push_block",
        "if item.rank <= self._head.rank:",
        "if item.rank < self._head.rank:",
    ),
    bug(
        "no way back",
        "fork choice",
        "after a fork with a bad block the old head is gone (R9.2)",
        ByTest(
            "tests/unit/test_chain_forks.py::test_a_failing_branch_is_removed_and_the_old_one_is_back"
        ),
        "node/chain/chain.py",
        "Chain._switch_to",
        "self._apply(old, trusted=True)",
        "pass",
    ),
    bug(
        "minorities shut out",
        "fork choice",
        "any head on a fork counts as a contradiction (S2)",
        Kept("minority_fork", "agreement"),
        "node/p2p/manager.py",
        "PeerManager._check_fork",
        "known = self._chain.id_at(hello.lib_num)",
        "if 0 < hello.head_num <= self._chain.last_irreversible_num:\n"
        "            hello = replace(hello, lib_num=hello.head_num, lib_id=hello.head_id)\n"
        "        known = self._chain.id_at(hello.lib_num)",
        "node/p2p/manager.py",
        "PeerManager._penalise",
        "if error.is_banned:",
        "if True:",
    ),
    bug(
        "forks told and stored",
        "fork choice",
        "whatever is linked is passed on, whether it wins or not (P2)",
        ByTest(
            "tests/unit/test_headers_first.py::test_a_fork_is_neither_stored_nor_passed_on_before_it_wins"
        ),
        "node/core/intake.py",
        "BlockIntake.drain",
        "applied = tuple(block.envelope.id for block in result.applied)",
        "applied = (envelope.id,)",
    ),
    bug(
        "a checkpoint for show",
        "fork choice",
        "another block takes the place of a checkpoint (F9)",
        ByTest(
            "tests/unit/test_finality.py::test_a_checkpoint_lets_a_chain_go_on_whose_voters_are_gone"
        ),
        "node/chain/fork_database.py",
        "ForkDatabase.check",
        "if checkpoint not in (None, envelope.id) and",
        "if False and",
    ),
    bug(
        "as many twins as are signed",
        "fork choice",
        "blocks of one witness and slot are kept without end (T-P6, T-W2)",
        ByTest("tests/unit/test_fork_database.py::test_two_blocks_a_slot_and_a_third_makes_room"),
        "node/chain/fork_database.py",
        "ForkDatabase.add",
        "if len(rivals) >= BLOCKS_PER_SLOT_MAX:",
        "if False:",
    ),
)

FINALITY = (
    bug(
        "a quorum of half",
        "finality",
        "two halves share nobody (F2)",
        Attacked(CALM_KEYS),
        "node/chain/finality.py",
        "quorum_of",
        "return 2 * count // 3 + 1",
        "return max(1, count // 2)",
    ),
    bug(
        "the new set alone",
        "finality",
        "two forks with sets of their own each make a block irreversible (F8)",
        Attacked(Attack(6)),
        "node/chain/finality.py",
        "needed_sets",
        "return [one for one in finality.sets if one.since_num < target_num]",
        "return finality.sets[-1:]",
    ),
    bug(
        "the old set alone",
        "finality",
        "a fork with the evidence asks the new set, one that has split off before it the old (F8)",
        Attacked(replace(PARTED, seed=5)),
        "node/chain/finality.py",
        "needed_sets",
        "return [one for one in finality.sets if one.since_num < target_num]",
        "return finality.sets[:1]",
    ),
    bug(
        "votes either way",
        "finality",
        "an honest member goes back on its votes (F5)",
        Drawn(("one vote", "VoteAlreadySigned"), SPLITS, nodes=4),
        "node/witness/voter.py",
        "VoteSpan.may_follow",
        "return self.source_num >= last.source_num and self.target_num > last.target_num",
        "return True",
    ),
    bug(
        "votes around votes",
        "finality",
        "the source of a vote may fall (F5)",
        ByTest("tests/unit/test_finality.py::test_an_honest_member_never_contradicts_itself"),
        "node/witness/voter.py",
        "VoteSpan.may_follow",
        "self.source_num >= last.source_num and ",
        "",
    ),
    bug(
        "votes for heads alone",
        "finality",
        "blocks that travel for longer than a slot part the votes for ever (F5)",
        ByTest(
            "tests/simulation/test_networks.py"
            "::test_blocks_that_travel_longer_than_a_slot_become_irreversible"
        ),
        "node/witness/voter.py",
        "_target_of",
        "return chain.head_id if parent is None else parent",
        "return chain.head_id",
    ),
    bug(
        "a floor that falls",
        "finality",
        "a key that somebody else has, too, goes back on what was noted of it (F5)",
        Kept("floor_twice", "VoteAlreadySigned in guard.check_vote"),
        "node/witness/voter.py",
        "cast_votes",
        "raised = last.raised_to(floor_num)",
        "raised = VoteSpan(floor_num, floor_num)",
    ),
    bug(
        "irreversible without its child",
        "finality",
        "any link makes its source irreversible (F4)",
        ByTest("tests/unit/test_finality.py::test_only_links_without_a_gap_make_irreversible"),
        "node/chain/finality.py",
        "apply_certificate",
        "if len(justified) - at == target_num - source_num + 1:",
        "if True:",
    ),
    Bug(
        "the rule of BitShares",
        "finality",
        "honest witnesses alone break it (R8.8, F10); in the options",
        Attacked(Attack(28, liars=0, moving_keys=False, finality=FINALITY_BITSHARES)),
    ),
    Bug(
        "a third of liars",
        "finality",
        "the promise ends there (F2); in the options",
        Attacked(Attack(0, liars=2, moving_keys=False)),
    ),
    Bug(
        "no record of votes",
        "finality",
        "a restarted node that knows of no vote votes again (F5); in the attack's nodes",
        Attacked(Attack(72, moving_keys=False, has_records=False, losers=4, slots=120)),
    ),
    bug(
        "the newest confirmation",
        "finality",
        "by the old rule, one witness that builds on a block makes it irreversible (P16)",
        Kept("two_halves", "conflict"),
        "node/chain/irreversibility.py",
        "irreversible_num",
        "return min(confirmed[below], state.dynamic.head_block_number - 1)",
        "return state.dynamic.head_block_number - 1",
    ),
    bug(
        "certificates on trust",
        "finality",
        "nobody counts the votes of a certificate (F3)",
        ByTest("tests/unit/test_finality.py::test_a_certificate_must_be_right"),
        "node/chain/finality.py",
        "check_certificate",
        "if trusted:",
        "if True:",
    ),
    bug(
        "strangers' votes",
        "finality",
        "whoever has a key votes (F7)",
        ByTest(
            "tests/unit/test_vote_pool.py::test_the_pool_takes_one_vote_of_each_member_and_height"
        ),
        "node/chain/vote_pool.py",
        "VotePool.add",
        "if finality is None or key not in voting_keys(finality.sets):",
        "if finality is None:",
    ),
    bug(
        "votes that nobody hears",
        "finality",
        "a node keeps its votes to itself (F7)",
        Drawn(("liveness", "agreement"), (("witnesses", 3),)),
        "node/p2p/manager.py",
        "PeerManager.announce_vote",
        "if peer.is_active and",
        "if not peer.is_active and",
    ),
    bug(
        "half a quorum in a network",
        "finality",
        "two halves of a network, each with half of the witnesses, go their ways (F2, F10)",
        Drawn(("conflict",), SPLITS, nodes=4),
        "node/chain/finality.py",
        "quorum_of",
        "return 2 * count // 3 + 1",
        "return max(1, count // 2)",
    ),
    bug(
        "votes of any chain",
        "finality",
        "what is voted on one chain counts on every other (F1)",
        ByTest(
            "tests/unit/test_finality.py::test_votes_of_another_chain_or_another_link_certify_nothing"
        ),
        "protocol/finality.py",
        "vote_digest",
        "sha256(VOTE_DOMAIN + chain_id + source + target)",
        "sha256(VOTE_DOMAIN + source + target)",
    ),
    bug(
        "links from anywhere",
        "finality",
        "the source of a certificate need not be justified (F3)",
        ByTest("tests/unit/test_finality.py::test_a_certificate_must_be_right"),
        "node/chain/finality.py",
        "check_certificate",
        "if source_num not in finality.justified:",
        "if False:",
    ),
    bug(
        "no record, no fear",
        "finality",
        "who has lost the record of its votes votes at once (F5)",
        ByTest(
            "tests/unit/test_finality.py::test_without_its_record_a_key_waits_for_what_it_may_have_signed"
        ),
        "node/witness/voter.py",
        "floor_without_record",
        "return chain.last_irreversible_num + slots + SLOTS_AHEAD",
        "return 0",
    ),
    bug(
        "votes that wait for ever",
        "finality",
        "a peer's votes for blocks that nobody has fill the memory (F7)",
        ByTest("tests/unit/test_vote_pool.py::test_votes_that_wait_for_their_block_are_bounded"),
        "node/chain/vote_pool.py",
        "VotePool._wait",
        "if self._waiting_of[sender] >= WAITING_MAX:",
        "if False:",
    ),
    bug(
        "votes that are never forgotten",
        "finality",
        "votes for irreversible blocks are kept (T-R1)",
        Kept("calm", "leak"),
        "node/chain/vote_pool.py",
        "VotePool.forget_old",
        "if num < lowest]",
        "if num < 0]",
    ),
    bug(
        "liars that nobody names",
        "finality",
        "two blocks of a slot are no proof of anything (P14, T-W2)",
        ByTest("tests/unit/test_finality.py::test_proofs_of_lying_are_kept_and_bounded"),
        "node/chain/vote_pool.py",
        "VotePool.note_block",
        "if first is not None and second is not None:",
        "if False:",
    ),
)

GUARD = (
    Bug(
        "slots forgotten",
        "signing guard",
        "no signing guard, neither in memory nor on disk (T-W1)",
        Kept("clock_steps", "one block a slot"),
        machine=mutants.ForgetsSlots,
    ),
    Bug(
        "a guard that is not flushed",
        "signing guard",
        "the record of slots and votes is only in the disk's cache (T-W1)",
        Kept("guard_flush", "one vote"),
        machine=mutants.NeverFlushesGuard,
    ),
    bug(
        "a slot twice on disk",
        "signing guard",
        "the record takes the same slot again (T-W1)",
        ByTest("tests/services/test_storage_files.py::test_a_slot_is_signed_once"),
        "node/storage/guard.py",
        "check_slot",
        "slot.time_s <= last_s",
        "slot.time_s < last_s",
    ),
    bug(
        "votes back on disk",
        "signing guard",
        "the record takes a vote whose source falls (F5)",
        ByTest(
            "tests/unit/test_own_keys.py::test_the_record_of_votes_is_durable_and_never_goes_back"
        ),
        "node/storage/guard.py",
        "check_vote",
        "if vote.source_num < source_num or vote.target_num <= target_num:",
        "if vote.target_num <= target_num:",
    ),
    bug(
        "a slot twice",
        "signing guard",
        "a producer does not ask what it has signed (T-W1)",
        ByTest("tests/unit/test_producer.py::test_a_slot_is_never_signed_twice"),
        "node/witness/producer.py",
        "maybe_produce",
        "if slot_time_s <= signed_s:",
        "if False:",
    ),
    bug(
        "a key in two places",
        "signing guard",
        "what another process signs with a key of this node is not noticed (T-W1)",
        ByTest(
            "tests/unit/test_own_keys.py::test_a_copied_directory_signs_nothing_while_the_original_does"
        ),
        "node/core/own_blocks.py",
        "OwnBlocks.note_applied",
        "if key not in self.secrets or",
        "if True or",
    ),
    bug(
        "a minority that goes on",
        "signing guard",
        "a witness builds on a fork that hardly anybody else builds on (T-W3)",
        ByTest("tests/unit/test_producer.py::test_a_minority_fork_is_not_extended"),
        "node/witness/producer.py",
        "maybe_produce",
        "if participation * 100 < required_participation * HUNDRED_PERCENT:",
        "if False:",
    ),
    bug(
        "up to the very limit",
        "signing guard",
        "a chain without its witnesses uses up all that can be undone (P6)",
        ByTest("tests/unit/test_standstill.py::test_a_chain_slows_down_and_says_whom_it_waits_for"),
        "node/witness/undo_reserve.py",
        "standstill",
        "if used <= 0 or",
        "if True or",
    ),
    Bug(
        "slots left to pass",
        "signing guard",
        "half of the witnesses vote and make no blocks (T-W3, S8)",
        Kept("calm", "growth"),
        machine=mutants.MakesNoBlocks,
    ),
)


CLOCKS = (
    bug(
        "blocks from the future",
        "clocks",
        "witnesses whose clocks jump ahead are believed (P16, T-W3)",
        Kept("clocks_ahead", "future"),
        "node/core/clock_watch.py",
        "ClockWatch.check",
        "if front.header.timestamp * 1_000 > limit_ms:",
        "if False:",
    )._replace(machine=mutants.FollowsAtOnce),
    bug(
        "slots long over",
        "clocks",
        "a slot that began long ago is used (T-K1)",
        ByTest("tests/unit/test_producer.py::test_a_late_tick_leaves_the_slot"),
        "node/witness/producer.py",
        "maybe_produce",
        "if lag_ms > MAX_LAG_MS:",
        "if False:",
    ),
    bug(
        "a clock behind",
        "clocks",
        "a clock that fell behind the head goes unnoticed (T-K1)",
        ByTest("tests/unit/test_producer.py::test_a_clock_that_stepped_back"),
        "node/witness/producer.py",
        "maybe_produce",
        "if now_s + chain.state.parameters.block_interval < chain.head_time:",
        "if False:",
    ),
    bug(
        "every clock believed at once",
        "clocks",
        "a step that does not last is followed all the same (P9, T-K1)",
        ByTest("tests/unit/test_slot_clock.py::test_a_step_that_does_not_last_costs_nothing"),
        "node/witness/slot_clock.py",
        "SlotClock._follow",
        "if abs(moved_ms) < STEP_MS:",
        "if True:",
    ),
    bug(
        "clocks of rivals unheard",
        "clocks",
        "who builds before all others never learns that its clock is ahead (T-K1)",
        ByTest(
            "tests/unit/test_core_clock.py::test_who_builds_before_all_others_hears_their_clocks"
        ),
        "node/core/clock_watch.py",
        "ClockWatch.note_block",
        "if front.num < self._chain.head_num or",
        "if front.id != self._chain.head_id or",
    ),
    bug(
        "a clock that all contradict",
        "clocks",
        "a witness signs by a clock that most others show to be wrong (T-K1)",
        ByTest(
            "tests/unit/test_core_clock.py::test_a_clock_that_stays_wrong_silences_its_own_witness_only"
        ),
        "node/core/clock_watch.py",
        "ClockWatch.refusal",
        "if -behind_ms <= error_ms <= ahead_ms:",
        "if True:",
    ),
)
