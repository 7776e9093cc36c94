"""Planted bugs where a node meets its disk, its peers and its clients."""

from __future__ import annotations

from tests.crashpoints.mutants import MUTANTS as CRASH_MUTANTS
from tests.simulation import mutants
from tests.simulation.bug import Bug, ByTest, Crashed, Drawn, Kept, bug
from tests.simulation.bugs.conditions import LIARS, SPLITS

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
    bug(
        "damage that ends the node",
        "store",
        "a peer asks for a damaged block, and the node ends (P13)",
        ByTest("tests/unit/test_damaged_blocks.py::test_a_damaged_block_is_fetched_again_and_said"),
        "node/core/chain_reader.py",
        "ChainReader.block_bytes",
        "return None",
        "raise",
    ),
    bug(
        "snapshots of lost forks",
        "store",
        "a snapshot serves whether its block is on the main chain or not (T-S6)",
        ByTest("tests/unit/test_core.py::test_a_snapshot_of_another_fork_is_passed_over"),
        "node/core/startup.py",
        "start_chain",
        "if blocks.id_at(num) != block_id:",
        "if False:",
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
    bug(
        "only the first that tells",
        "sync",
        "who else has told of an item is forgotten (P10)",
        ByTest("tests/unit/test_p2p_peers.py::test_a_late_item_is_asked_of_another_peer"),
        "node/p2p/inventory.py",
        "Gossip.want",
        "self._note_source(wanted, item, peer.key)",
        "pass",
    ),
    bug(
        "questions upon questions",
        "sync",
        "a peer asks for ids again and again before it is answered (P4)",
        ByTest(
            "tests/unit/test_p2p_charges.py::test_a_second_question_before_the_answer_is_a_fault"
        ),
        "node/p2p/serving.py",
        "ItemServer.answer_synopsis",
        "if queue.question is not None:",
        "if False:",
    ),
    bug(
        "answers without measure",
        "sync",
        "a peer is sent at once all that it asks for (P8, T-P11)",
        ByTest("tests/unit/test_p2p_peers.py::test_fetches_are_served_at_a_bounded_rate"),
        "node/p2p/serving.py",
        "ItemServer.serve",
        "while queue.items and queue.allowance > 0 and",
        "while queue.items and",
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
    bug(
        "items named twice",
        "peers",
        "an announcement that names one item twice ends the node (T-P1)",
        Drawn(("AssertionError in requests",), LIARS, nodes=4),
        "node/p2p/inventory.py",
        "Gossip.want",
        "for item in dict.fromkeys(items):",
        "for item in items:",
    ),
    bug(
        "peers that never leave",
        "peers",
        "what is known of a peer stays when it has gone (T-R1)",
        Drawn(("leak",), SPLITS),
        "node/p2p/relay.py",
        "Relay.remove_peer",
        "self.gossip.remove_peer(peer, owed, now_ms)",
        "pass",
    ),
    bug(
        "no room for newcomers",
        "peers",
        "idle peers shut everybody else out (P11)",
        ByTest("tests/unit/test_p2p_fairness.py::test_newcomers_find_room_among_idle_peers"),
        "node/p2p/connections.py",
        "Connections.make_room",
        "victim = choose_victim(crowd, self._secret)",
        "victim = None",
    ),
    bug(
        "no anchors",
        "peers",
        "after a restart a node dials whomever it was told of (T-P9)",
        ByTest(
            "tests/unit/test_p2p_eclipse.py::test_a_node_that_is_made_to_start_again_keeps_honest_peers"
        ),
        "node/p2p/connections.py",
        "Connections.anchors",
        "return [peer.address for peer in chosen[:ANCHORS]]",
        "return []",
    ),
    bug(
        "addresses by the thousand",
        "peers",
        "one group of addresses tells as many others as it likes (T-P9)",
        ByTest("tests/unit/test_p2p_peer_database.py::test_one_source_cannot_fill_the_table"),
        "node/p2p/peer_database.py",
        "PeerDatabase.add",
        "if told >= MAX_NEW_PER_SOURCE:",
        "if False:",
    ),
    bug(
        "an inbox without a floor",
        "peers",
        "blocks that wait for their keys take any amount of memory (P1, T-P6)",
        ByTest("tests/unit/test_headers_first.py::test_what_waits_for_its_keys_has_a_cap"),
        "node/core/inbox.py",
        "BlockInbox._check_room",
        "if self._blocks and self._bytes + size > INBOX_BYTES_MAX:",
        "if False:",
    ),
    bug(
        "refusals for nothing",
        "peers",
        "a refused transaction costs its sender no more than a good one (P5)",
        ByTest(
            "tests/unit/test_p2p_charges.py::test_refused_transactions_are_paid_for_by_their_signatures"
        ),
        "node/p2p/manager.py",
        "PeerManager.transaction_rejected",
        "self._charge_refused(peer, work_to_judge(envelope), now_ms)",
        "pass",
    ),
    bug(
        "handshakes for any chain",
        "peers",
        "the first message of a handshake is good for every chain (T-P10)",
        ByTest("tests/unit/test_p2p_noise.py::test_another_chain_fails_at_the_second_message"),
        "protocol/p2p/noise.py",
        "Handshake.__init__",
        "self._mix_hash(prologue)",
        'self._mix_hash(b"")',
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
    bug(
        "names with a user",
        "API and pool",
        "a host is whatever begins with the name of this one (P15, T-A5)",
        ByTest("tests/services/test_api_access.py::test_hosts_and_origins"),
        "node/services/access_rules.py",
        "AccessRules.check_names",
        "found = HOST.fullmatch(host.lower())",
        "found = HOST.match(host.lower())",
    ),
)
