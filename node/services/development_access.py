"""Which nodes may be taken through time."""

from __future__ import annotations

from collections.abc import Iterable

from node.chain.chain import Chain
from node.config import ConfigError, NodeSettings, split_address
from node.presets import WITNESSES, known_signing_key
from node.services.api_server import LOOPBACK_HOSTS
from protocol.crypto.keys import PrivateKey, public_key
from protocol.genesis_form import Genesis


def refuse_public_keys(genesis: Genesis, secrets: Iterable[PrivateKey]) -> None:
    """Refuse keys that everybody has, for a chain whose own witnesses have others (T-X1).

    Raises `ConfigError`.
    """
    names = [witness.owner_name for witness in genesis.initial_witness_candidates]
    if all(
        known_signing_key(witness.owner_name, witness.block_signing_key)
        for witness in genesis.initial_witness_candidates
    ):
        return
    for key in map(public_key, secrets):
        if any(known_signing_key(name, key) for name in (*names, *WITNESSES)):
            raise ConfigError("a public development key signs for no other chain", rule="T-X1")


def is_development(settings: NodeSettings) -> bool:
    """Whether blocks of this node may be made on demand; never while it talks to peers, nor for
    clients beyond the loopback."""
    is_own = settings.production.mode != "slots" and not settings.p2p.listen
    return is_own and _is_loopback(settings.api.listen)


def is_development_network(settings: NodeSettings, chain: Chain) -> bool:
    """Whether a node of several may be taken through time: by its settings, over the loopback, and
    if everybody knows all keys that make blocks, so that the network has one owner."""
    state = chain.state
    addresses = [settings.api.listen, *map(_address_of, settings.development.members)]
    if not settings.development.members or not all(map(_is_loopback, addresses)):
        return False
    witnesses = map(state.witnesses.get, state.properties.active_witnesses)
    return all(
        known_signing_key(state.accounts.get(one.witness_account).name, one.signing_key)
        for one in witnesses
    )


def _is_loopback(address: str) -> bool:
    return not address or split_address(address)[0] in LOOPBACK_HOSTS


def _address_of(url: str) -> str:
    return url.removeprefix("http://")
