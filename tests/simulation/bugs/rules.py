"""Planted bugs in what a block does: codecs, evaluators, the market, undo."""

from __future__ import annotations

from tests.simulation.bug import ByTest, Drawn, bug
from tests.simulation.bugs.conditions import INVARIANT, LIARS, SPLITS, TRADE

CODEC = (
    bug(
        "padded integers",
        "codec",
        "one transaction has many forms, and as many ids (T-P3)",
        ByTest("tests/unit/test_forms.py::test_a_varint_that_is_not_minimal_is_refused"),
        "protocol/leb128.py",
        "read_varint",
        "if byte == 0 and shift:",
        "if False:",
    ),
    bug(
        "signatures of two forms",
        "codec",
        "the twin of a signature, with a high s, passes as well (T-C3)",
        ByTest("tests/unit/test_signatures.py::test_s_is_compared_with_half_the_order_exactly"),
        "protocol/crypto/recovery.py",
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
        "is_within_reach",
        "return collateral < debt",
        "return collateral <= debt",
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
    bug(
        "the price of a liar",
        "market",
        "the lowest feed is the price, and a lying witness's is the lowest (T-W5)",
        Drawn(("honest price",), LIARS, nodes=4),
        "node/market/feeds.py",
        "_median_price",
        "len(prices) // 2",
        "0",
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
        ByTest(
            "tests/unit/test_undo.py"
            "::test_an_object_that_moved_is_found_where_it_was_once_that_is_undone"
        ),
        "node/state/undo.py",
        "UndoLog._walk_back",
        "table.undo_rekey(item, values)",
        "pass",
    ),
)

_BENEATH = "tests/unit/test_pending_footprint.py::test_a_block_beneath_comes_to_the_same"
POOL = (
    bug(
        "cancelled before its time",
        "blocks and pool",
        "what cancels an order stays on top of the block with which that expires (R9.2)",
        ByTest("tests/unit/test_pending_footprint.py::test_where_they_meet_all_is_applied_anew"),
        "node/chain/pending_footprint.py",
        "stays_until",
        "if isinstance(item, LimitOrder) and item.expiration <= found:",
        "if False:",
    ),
    bug(
        "any order",
        "blocks and pool",
        "what a block passes over may have been spent by it (R9.2)",
        ByTest(_BENEATH),
        "node/chain/pending_split.py",
        "Splitter._may_take",
        "return not split.kept or ",
        "return True or ",
        "node/chain/pending_split.py",
        "Split.edited_since",
        "if record[0] != EDIT:\n                        return None",
        "if True:\n                        continue",
    ),
    bug(
        "born too early",
        "blocks and pool",
        "an account was made when it was heard of, not with its block (R9.4)",
        ByTest(_BENEATH),
        "node/state/context.py",
        "Context.block_time",
        "self.has_guessed_time = True",
        "pass",
    ),
    bug(
        "the same id will do",
        "blocks and pool",
        "a transaction that waits vouches for another's signatures (R8.1)",
        ByTest(
            "tests/unit/test_pending_footprint.py::test_a_waiting_transaction_does_not_vouch_for_other_signatures"
        ),
        "node/chain/pending_split.py",
        "_is_same",
        "is_same = entry.envelope is envelope or entry.envelope.packed() == envelope.packed()",
        "is_same = True",
    ),
    bug(
        "margin calls among what waits",
        "blocks and pool",
        "bids that are in no block yet keep a position from being called (R4.1)",
        ByTest("tests/unit/test_pending_footprint.py::test_where_they_meet_all_is_applied_anew"),
        "node/chain/pending_footprint.py",
        "Footprint.was_untouched",
        "self.has_read(state.limit_orders)",
        "False",
        "node/chain/pending_footprint.py",
        "Footprint.is_apart",
        "or table in self._reads",
        "",
    ),
    bug(
        "forgotten twice",
        "blocks and pool",
        "what its own block lets expire is told to be dropped (R9.2)",
        ByTest(
            "tests/unit/test_pending_footprint.py::test_what_expires_with_its_block_is_not_told_to_be_dropped"
        ),
        "node/chain/pending_session.py",
        "PendingSession.push_again",
        "if envelope.id in held or ",
        "if ",
    ),
)
