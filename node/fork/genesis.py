"""What a forked chain has for a genesis: who makes its blocks, and where it goes on."""

from __future__ import annotations

from collections.abc import Callable

from node.state.database import State
from node.state.objects.governance import VOTING_NAMES, VOTING_TICKETS
from protocol.constants import CORE_ASSET
from protocol.genesis import (
    FINALITY_BITSHARES,
    TRIGGER_FEED,
    ForkPoint,
    Genesis,
    InitialAccount,
    InitialWitness,
    PegboardSection,
    check_genesis,
)
from protocol.schema import Digest, PublicKey


def begin_fork(
    state: State, prefix: str, source: Digest, signing_key: Callable[[str], PublicKey]
) -> Genesis:
    """The genesis of a chain that goes on from a state, whose witnesses get other block keys.

    `signing_key` gives the key of a witness by the name of its account, `source` is SHA256 of the
    file that the state was read from. The chain keeps its id, so that clients know it: what is
    signed here before the first block of its own could be sent to the other chain as well.
    """
    candidates = []
    for witness in state.witnesses.in_order():
        name = state.accounts.get(witness.witness_account).name
        witness.signing_key = signing_key(name)
        candidates.append(InitialWitness(name, witness.signing_key))
    dynamic = state.dynamic
    genesis = Genesis(
        initial_timestamp=dynamic.time,
        initial_parameters=state.parameters,
        initial_active_witnesses=len(state.properties.active_witnesses),
        initial_accounts=tuple(
            InitialAccount(one.owner_name, one.block_signing_key, is_lifetime_member=True)
            for one in candidates
        ),
        initial_witness_candidates=tuple(candidates),
        immutable_parameters=state.chain.immutable_parameters,
        pegboard=PegboardSection(
            margin_call_trigger=TRIGGER_FEED,
            core_symbol=state.assets.get(CORE_ASSET).symbol,
            address_prefix=prefix,
            chain_id=state.chain.chain_id,
            voting_stake=VOTING_NAMES[VOTING_TICKETS],
            finality=FINALITY_BITSHARES,
            development=True,
            fork=ForkPoint(dynamic.head_block_number, dynamic.head_block_id, source),
        ),
    )
    check_genesis(genesis)
    return genesis
