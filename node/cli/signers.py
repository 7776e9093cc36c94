"""Which secrets a transaction needs: enough for every required authority, and none too many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.cli.client import CallRefused
from node.cli.exits import KeyMissing, NodeUnreachable
from node.cli.keyring import DevelopmentKeys, KeyRing
from node.cli.remote_chain import RemoteChain
from protocol.authority import Authority
from protocol.constants import TEMP_ACCOUNT
from protocol.crypto.keys import PrivateKey, key_text
from protocol.ids import AccountId, account_text
from protocol.operations import Operation
from protocol.operations.authorities import required_authorities
from protocol.schema import PublicKey

AUTHORITY_DEPTH = 2
"""Depth to which accounts inside authorities are followed (R9.5)."""


class Signers:
    """Chooses secrets from a key ring for the authorities of accounts of a chain."""

    def __init__(self, chain: RemoteChain, keys: KeyRing) -> None:
        self._chain = chain
        self._keys = keys
        self._chosen: dict[PublicKey, PrivateKey] = {}

    def secrets_for(self, operations: Sequence[Operation]) -> list[PrivateKey]:
        """The secrets that must sign; raises `KeyMissing` with the keys that would do.

        The node refuses signatures that nobody needs (R9.5), so heavy keys are taken first, and
        an authority stops taking keys at its threshold.
        """
        for operation in operations:
            required = required_authorities(operation)
            for account in required.owner:
                owner = self._chain.account(account_text(account)).owner
                self._require((owner,), self._name(account, "owner"), account)
            for account in required.active:
                found = self._chain.account(account_text(account))
                authorities = found.active, found.owner
                self._require(authorities, self._name(account, "active"), account)
            for authority in required.other:
                self._require((authority,), "an authority of no account")
        return list(self._chosen.values())

    def _name(self, account: AccountId, role: str) -> str:
        return f"the {role} authority of {self._chain.account_name(account)}"

    def _is_impersonated(self, account: AccountId) -> bool:
        """Whether a development chain asks for no authority of an account now (R9.10).

        A node that does not say so must not hide which key is missing.
        """
        try:
            return bool(
                self._chain.client.call("pegboard_dev", "is_impersonated", account_text(account))
            )
        except (CallRefused, NodeUnreachable):
            return False

    def _require(
        self, authorities: Iterable[Authority], what: str, account: AccountId | None = None
    ) -> None:
        wanted: list[PublicKey] = []
        for authority in authorities:
            chosen = self._satisfy(authority, 0)
            if chosen is not None:
                self._chosen |= chosen
                return
            wanted += [key for key, _ in authority.key_auths]
        if account is not None and self._is_impersonated(account):
            return
        prefix = self._chain.prefix
        texts = [key_text(key, prefix) for key in dict.fromkeys(wanted)]
        keys = DevelopmentKeys()
        if any(keys.find(key, prefix) is not None for key in wanted):
            what += "; --dev-keys has one, since this is a development network"
        raise KeyMissing(f"no key for {what}", rule="R9.5", limit=", ".join(texts) or None)

    def _satisfy(self, authority: Authority, depth: int) -> dict[PublicKey, PrivateKey] | None:
        chosen: dict[PublicKey, PrivateKey] = {}
        weight = 0
        for key, part in sorted(authority.key_auths, key=self._preference):
            if weight >= authority.weight_threshold:
                break
            secret = self._chosen.get(key) or self._keys.find(key, self._chain.prefix)
            if secret is not None:
                chosen[key] = secret
                weight += part
        for account, part in authority.account_auths:
            if weight >= authority.weight_threshold:
                break
            inner = self._account_secrets(account, depth)
            if inner is not None:
                chosen |= inner
                weight += part
        return chosen if weight >= authority.weight_threshold else None

    def _account_secrets(
        self, account: AccountId, depth: int
    ) -> dict[PublicKey, PrivateKey] | None:
        if account == TEMP_ACCOUNT:
            return {}
        if depth >= AUTHORITY_DEPTH:
            return None
        return self._satisfy(self._chain.account(account_text(account)).active, depth + 1)

    def _preference(self, entry: tuple[PublicKey, int]) -> tuple[bool, int, bytes]:
        key, weight = entry
        return key not in self._chosen, -weight, key
