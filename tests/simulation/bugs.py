"""Planted bugs of all layers, one table: what each breaks, and who must find it.

`scripts/simulate --teeth` plants them one after the other and fails if one is missed. Where code
has moved, its edit says so (`NotPlanted`): plant the bug anew, where the promise is kept now.
"""

from __future__ import annotations

from protocol.genesis import FINALITY_BITSHARES
from tests.crashpoints.mutants import MUTANTS as CRASH_MUTANTS
from tests.simulation import mutants
from tests.simulation.bug import Attacked, Bug, ByTest, Crashed, Drawn, Kept, bug
from tests.simulation.finality import Attack

CALM_KEYS = Attack(0, moving_keys=False)
PARTED = Attack(0, parts_sets=True, slots=30)
SPLITS = (("partition_every_s", 10), ("crash_every_s", 0), ("paranoid", 0), ("fault_s", 120))
TRADE = (("transactions_per_minute", 120), ("paranoid", 0))
INVARIANT = ("InvariantViolated", "stopped", "one state")

CODEC = (
    bug(
        "padded integers",
        "codec",
        "one transaction has many forms, and as many ids (T-P3)",
        ByTest("tests/unit/test_forms.py::test_a_varint_that_is_not_minimal_is_refused"),
        "protocol/binary.py",
        "read_varint",
        "if byte == 0 and shift:",
        "if False:",
    ),
    bug(
        "signatures of two forms",
        "codec",
        "the twin of a signature, with a high s, passes as well (T-C3)",
        ByTest("tests/unit/test_signatures.py::test_s_is_compared_with_half_the_order_exactly"),
        "protocol/crypto/signatures.py",
        "is_canonical",
        "and signature[33:] <= _HALF_ORDER",
        "",
    ),
    bug(
        "frames of any size",
        "codec",
        "a peer announces four gigabytes and is waited for (T-P2)",
        ByTest(
            "tests/unit/test_p2p_framing.py::test_a_length_above_the_limit_is_refused_before_its_payload"
        ),
        "protocol/p2p/framing.py",
        "FrameReader.next_frame",
        "if not 0 < length <= self.max_frame_bytes:",
        "if length == 0:",
    ),
    bug(
        "messages of many forms",
        "codec",
        "a message is read that would be written otherwise (T-P3)",
        ByTest("tests/unit/test_p2p_messages.py::test_malformed_payloads_are_refused"),
        "protocol/p2p/message_codec.py",
        "decode_message",
        "if encode_message(message) != payload:",
        "if False:",
    ),
    bug(
        "transactions of any chain",
        "codec",
        "what is signed for one chain is good on every other (T-C1)",
        ByTest(
            "tests/unit/test_chain_transactions.py::test_a_signature_for_another_chain_is_worthless"
        ),
        "protocol/transaction.py",
        "TransactionEnvelope.digest",
        "sha256(chain_id + self.body)",
        "sha256(self.body)",
        "protocol/transaction.py",
        "sign",
        "sha256(chain_id + pack(transaction))",
        "sha256(pack(transaction))",
    ),
)

EVALUATORS = (
    bug(
        "replayed transactions",
        "evaluator",
        "one transaction is applied twice (T-C2)",
        ByTest(
            "tests/unit/test_chain_transactions.py::test_a_transaction_applies_once_pending_and_in_blocks"
        ),
        "node/chain/apply_transaction.py",
        "apply_transaction",
        "if envelope.id in state.transaction_by_id.entries:",
        "if False:",
    ),
    bug(
        "expired transactions",
        "evaluator",
        "a transaction is applied after its expiration (R9.3)",
        ByTest("tests/unit/test_chain_transactions.py::test_the_earliest_expiration"),
        "node/chain/apply_transaction.py",
        "_check_place_and_time",
        "if expiration < now:",
        "if False:",
    ),
    bug(
        "nobody's authority",
        "evaluator",
        "anybody moves what is another's",
        ByTest(
            "tests/unit/test_chain_transactions.py::test_signatures_are_needed_and_none_too_many"
        ),
        "node/chain/apply_transaction.py",
        "apply_transaction",
        "if check_signatures:",
        "if False:",
    ),
    bug(
        "free operations",
        "evaluator",
        "no fee is too low (R8.17)",
        ByTest("tests/operations/test_operation_fees.py"),
        "node/evaluators/fees.py",
        "check_fee",
        "if worth < required:",
        "if worth < 0:",
    ),
    bug(
        "fees that vanish",
        "evaluator",
        "a fee is taken and nobody has it (I5)",
        Drawn(INVARIANT, TRADE),
        "node/evaluators/fees.py",
        "collect_fee",
        "add_pending_fee(state, payer.id, core_worth)\n",
        "pass\n",
    ),
    bug(
        "overdrafts",
        "evaluator",
        "a transfer may take more than there is (I6)",
        Drawn(INVARIANT, TRADE),
        "node/state/balances.py",
        "adjust_balance",
        "if found.balance + delta < 0:",
        "if found.balance < 0:",
    ),
    bug(
        "debt without supply",
        "evaluator",
        "what is borrowed is not issued (I2)",
        Drawn(INVARIANT, TRADE),
        "node/evaluators/call_order.py",
        "apply_call_order_update",
        "adjust_supply(state, delta_debt.asset_id, delta_debt.amount)",
        "pass",
    ),
)

MARKET = (
    bug(
        "rounding for the smaller order",
        "market",
        "an order receives a unit more than it pays for (R2.5)",
        ByTest(
            "tests/unit/test_market_matching.py::test_a_smaller_taker_is_rounded_down_and_gets_its_dust_back"
        ),
        "node/market/matching.py",
        "match_orders",
        "receives = worth_floor(taker_for_sale, base, quote)",
        "receives = worth_ceil(taker_for_sale, base, quote)",
    ),
    bug(
        "the lowest feed",
        "market",
        "one publisher alone moves the price (R1.16, T-W5)",
        ByTest(
            "tests/unit/test_market_feeds.py::test_of_two_feeds_the_upper_one_is_the_median_of_each_field"
        ),
        "node/market/feeds.py",
        "_median_price",
        "len(prices) // 2",
        "0",
    ),
    bug(
        "feeds for ever",
        "market",
        "a price counts long after its lifetime (R1.15)",
        ByTest("tests/unit/test_market_feeds.py::test_a_feed_lives_for_less_than_its_lifetime"),
        "node/market/feeds.py",
        "live_feeds",
        "and now - published < lifetime",
        "and now - published < lifetime * now",
    ),
    bug(
        "called at the limit",
        "market",
        "a position is called by a bid at exactly its call price (R4.2)",
        ByTest(
            "tests/unit/test_market_margin_calls.py::test_the_bid_calls_strictly_between_squeeze_protection_and_call_price"
        ),
        "node/market/margin_calls.py",
        "is_called",
        "return collateral < debt and",
        "return collateral <= debt and",
    ),
    bug(
        "dust of settlements",
        "market",
        "a request gives less than what it is paid for (R5.6)",
        ByTest(
            "tests/unit/test_market_matching.py::test_a_settlement_never_lowers_the_ratio_of_a_position_that_stays"
        ),
        "node/market/matching.py",
        "match_settlement",
        "paid_for = -(-pays * base // quote)",
        "paid_for = pays * base // quote",
    ),
)

STATE = (
    bug(
        "a trace of popped blocks",
        "state",
        "the first change of a block that is taken back stays (T-E2, I18)",
        Drawn((*INVARIANT, "ValueError", "KeyError", "AssertionError"), SPLITS),
        "node/state/undo.py",
        "UndoLog.revert",
        "self._walk_back(revision.records)",
        "self._walk_back(revision.records[1:])",
    ),
    bug(
        "a trace of refused transactions",
        "state",
        "the first change of what is undone stays (T-E2)",
        ByTest(
            "tests/unit/test_chain_transactions.py::test_operations_apply_together_or_not_at_all"
        ),
        "node/state/undo.py",
        "UndoLog.undo",
        "self._walk_back(records)",
        "self._walk_back(records[1:])",
    ),
    bug(
        "indexes that are not undone",
        "state",
        "an object that is undone is found where it no longer belongs (T-E2)",
        ByTest("tests/unit/test_undo.py::TestUndoMachine"),
        "node/state/undo.py",
        "UndoLog._walk_back",
        "table.undo_rekey(item, values)",
        "pass",
    ),
)

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
        Attacked(Attack(0)),
        "node/chain/finality.py",
        "needed_sets",
        "return [one for one in finality.sets if one.since_num < target_num]",
        "return finality.sets[-1:]",
    ),
    bug(
        "the old set alone",
        "finality",
        "a fork with the evidence asks the new set, one that has split off before it the old (F8)",
        Attacked(PARTED),
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
        "return last is None or (",
        "return True or last is None or (",
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
        Attacked(Attack(0, liars=0, moving_keys=False, finality=FINALITY_BITSHARES)),
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
        Attacked(Attack(40, moving_keys=False, has_records=False, losers=4, slots=120)),
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
            "tests/unit/test_finality.py::test_the_pool_takes_one_vote_of_each_member_and_height"
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
            "tests/unit/test_finality.py::test_the_record_of_votes_is_durable_and_never_goes_back"
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
)

STORE = (
    Bug(
        "told before stored",
        "store",
        "blocks are announced before they are durable (T-S1)",
        Kept("send_first", "durable"),
        machine=mutants.SendsFirst,
    ),
    Bug(
        "clients told early",
        "store",
        "clients hear of what the core has done, stored or not (T-S1)",
        Kept("early_notices", "durable"),
        machine=mutants.TellsEarly,
    ),
    Bug(
        "forks pruned to the head",
        "store",
        "forks that may still win are forgotten",
        Kept("prune_forks", "durable"),
        machine=mutants.PrunesToHead,
    ),
    Bug(
        "finality forgotten",
        "store",
        "no record of what was called irreversible (I14)",
        Kept("finality", "monotonic"),
        machine=mutants.ForgetsFinality,
    ),
    Bug(
        "blocks that are not flushed",
        "store",
        "blocks are only in the disk's cache (P16)",
        Kept("unflushed_blocks", "durable"),
        machine=mutants.NeverFlushesBlocks,
    ),
    *(
        Bug(
            f"on real files: {name}",
            "store",
            "see tests/crashpoints/mutants.py (T-S2)",
            Crashed(name),
        )
        for name in CRASH_MUTANTS
    ),
    bug(
        "damage unseen",
        "store",
        "a block with a flipped bit is served (T-S3)",
        ByTest(
            "tests/unit/test_block_store_damage.py::test_a_flipped_bit_in_a_block_is_detected_and_named"
        ),
        "node/storage/block_store.py",
        "_is_whole",
        "and checksum == _checksum(block_id, data)",
        "and checksum is not None",
    ),
)

SYNC = (
    bug(
        "no wait between rounds",
        "sync",
        "a peer that leads nowhere is asked again at once, for ever (T-N5)",
        ByTest("tests/unit/test_p2p_peers.py::test_unlinkable_blocks_start_one_round_at_a_time"),
        "node/p2p/sync.py",
        "BlockSync._wait_longer",
        "found.backoff_ms = min(doubled, limits.max_sync_backoff_ms)",
        "found.backoff_ms = 0 * doubled",
    ),
    bug(
        "lists that lead nowhere",
        "sync",
        "ids need not go on from what was offered",
        ByTest(
            "tests/unit/test_p2p_peers.py::test_an_answer_that_does_not_continue_our_synopsis_is_a_lie"
        ),
        "node/p2p/sync.py",
        "BlockSync._check_continues",
        'raise LyingSync("block ids do not continue the synopsis", value=message.first_num)',
        "return NO_BLOCK",
    ),
    bug(
        "patience without end",
        "sync",
        "who is asked and stays silent is kept (T-P5)",
        ByTest("tests/unit/test_p2p_peers.py::test_an_unanswered_request_closes_after_30_s"),
        "node/p2p/requests.py",
        "RequestTracker.peers_overdue",
        "if owed and next(iter(owed.values())) <= deadline_ms",
        "if owed and next(iter(owed.values())) <= deadline_ms - (1 << 60)",
    ),
    bug(
        "nobody else is asked",
        "sync",
        "a block that does not come is asked of no other peer (P10)",
        ByTest("tests/unit/test_p2p_network.py::test_a_silent_peer_does_not_stall_a_sync"),
        "node/p2p/sync.py",
        "BlockSync._choose",
        "if self._tracker.last_asked_ms(item) > hedge_before_ms:",
        "if hedge_before_ms:",
    ),
)

PEERS = (
    bug(
        "work for nothing",
        "peers",
        "no account is ever overdrawn (P5)",
        ByTest(
            "tests/unit/test_p2p_charges.py::test_an_account_grows_with_the_time_that_it_is_told"
        ),
        "node/p2p/charges.py",
        "Account.charge",
        "return self._balance > -self._cap",
        "return True",
    ),
    bug(
        "unasked items",
        "peers",
        "whatever comes was asked for (T-P7)",
        ByTest("tests/unit/test_p2p_peers.py::test_an_unasked_item_drops_its_sender"),
        "node/p2p/requests.py",
        "RequestTracker.finish",
        "return Delivery.UNREQUESTED",
        "return Delivery.REQUESTED",
    ),
    bug(
        "no bans",
        "peers",
        "who was dropped for lying comes back at once (T-P1)",
        ByTest("tests/unit/test_p2p_peers.py::test_malformed_messages_drop_their_sender"),
        "node/p2p/manager.py",
        "PeerManager._penalise",
        "if error.is_banned:",
        "if False:",
    ),
    bug(
        "unsigned blocks",
        "peers",
        "a header is taken whoever signed it (P1, T-P6)",
        ByTest("tests/unit/test_headers_first.py::test_a_false_header_costs_no_body"),
        "node/chain/header_rules.py",
        "HeaderRules.check",
        "if not trusted:",
        "if False:",
    ),
)

API = (
    bug(
        "orphans of popped blocks",
        "API and pool",
        "transactions of blocks that lost are forgotten (R9.2)",
        ByTest(
            "tests/unit/test_chain_forks.py::test_transactions_of_popped_blocks_are_tried_again"
        ),
        "node/chain/chain.py",
        "Chain.push_block",
        "[*retried, *waiting]",
        "waiting",
    ),
    bug(
        "no bound of the pool",
        "API and pool",
        "as many transactions wait as come (R9.2)",
        ByTest("tests/unit/test_chain_transactions.py::test_the_pool_has_a_number_and_a_size"),
        "node/chain/pending.py",
        "PendingPool.check_room",
        "if len(self._entries) >= self.transactions_max:",
        "if False:",
    ),
    bug(
        "pages of strangers",
        "API and pool",
        "any page in a browser may ask (T-A5)",
        ByTest("tests/services/test_api_access.py::test_hosts_and_origins"),
        "node/services/access_rules.py",
        "AccessRules.check_names",
        "if origin.lower() not in self.origins:",
        "if False:",
    ),
    bug(
        "any token",
        "API and pool",
        "a wrong token is as good (T-A6)",
        ByTest("tests/services/test_api_limits.py::test_a_token_is_asked_of_everybody"),
        "node/services/access_rules.py",
        "AccessRules._knows_token",
        "return is_right and ",
        "return ",
    ),
    bug(
        "JSON without a floor",
        "API and pool",
        "brackets nest as deep as they like (T-A1)",
        ByTest("tests/unit/test_api_json.py::test_a_bad_text_is_refused_with_its_code"),
        "node/api/json_text.py",
        "_check_values",
        "if depth == DEPTH_MAX:",
        "if False:",
    ),
    bug(
        "answers before the disk",
        "API and pool",
        "clients hear of what a crash can take back (T-S1)",
        ByTest(
            "tests/services/test_durable_answers.py::test_no_answer_leaves_before_the_blocks_it_may_tell_of_are_stored"
        ),
        "node/api/durability.py",
        "Durability.when_complete",
        "if self.is_complete:",
        "if True:",
    ),
)

CLOCKS = (
    bug(
        "blocks from the future",
        "clocks",
        "witnesses whose clocks jump ahead are believed (P16, T-W3)",
        Kept("clocks_ahead", "future"),
        "node/core/core.py",
        "NodeCore._refuse_future",
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
)

BUGS: tuple[Bug, ...] = (
    *CODEC,
    *EVALUATORS,
    *MARKET,
    *STATE,
    *FORK_CHOICE,
    *FINALITY,
    *GUARD,
    *STORE,
    *SYNC,
    *PEERS,
    *API,
    *CLOCKS,
)
"""All of them, by layer."""
