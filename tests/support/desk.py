"""A development chain behind the command line, in this process: no socket, no clock."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from node.api.json_text import joined
from node.api.session import ApiSession
from node.cli import run
from node.cli.client import JsonObject, NodeClient
from node.presets import PRESETS, build_genesis, development_key
from protocol.crypto.keys import PrivateKey
from protocol.ids import WitnessId
from tests.support.api import ChainBackend
from tests.support.chain import TestChain

Json = Any
BLOCK_INTERVAL_S = 3


class PresetChain(TestChain):
    """A chain of a preset; its keys are the development keys."""

    __test__ = False

    def __init__(
        self, preset: str = "testnet", witness_count: int = 3, *, development: bool = False
    ) -> None:
        genesis = build_genesis(
            PRESETS[preset], witness_count=witness_count, development=development
        )
        super().__init__(genesis=genesis)

    def witness_secret(self, witness: WitnessId) -> PrivateKey:
        """The key that a witness signs blocks with."""
        account = self.state.witnesses.get(witness).witness_account
        return development_key(self.state.accounts.get(account).name, "signing")


class Ended(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Json:
        """The one JSON document that it printed."""
        return json.loads(self.out)


class Desk:
    """Runs commands against a chain that makes a block for every transaction."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        *,
        development: bool = False,
        behind: Desk | None = None,
    ) -> None:
        """`behind` is one of another test, whose chain this one goes on with."""
        if behind is None:
            self.chain = PresetChain(development=development)
            self.backend = ChainBackend(self.chain, instant=True)
            self.backend.produce()
        else:
            self.chain, self.backend = behind.chain, behind.backend
        self._capsys = capsys
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr(NodeClient, "_exchange", lambda client, body: self.exchange(body))

    def open_market(self, borrowed: str = "100 bitUSD", ratio: str = "2.5") -> Desk:
        """Feed 0.1 bitUSD for 1 TEST, and let alice borrow some; this desk."""
        self.wallet("init0", "publish-feed", "bitUSD", "0.1", "--msqr", "1.1")
        self.wallet("alice", "borrow", borrowed, "--ratio", ratio)
        return self

    def exchange(self, body: bytes) -> JsonObject:
        """Answer a request as the API server would."""
        session: ApiSession = self.backend.api.open_session(can_push=False)
        (text,) = session.receive(body.decode()) or session.take_outgoing()
        answer: JsonObject = json.loads(joined(text))
        assert self.backend.bugs == []
        return answer

    def run(self, *arguments: str) -> Ended:
        """Run a command line."""
        self._capsys.readouterr()
        code = run(list(arguments))
        printed = self._capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    def wallet(self, account: str, *arguments: str) -> Json:
        """Run a wallet command with development keys; its JSON."""
        ended = self.run("wallet", *arguments, "--dev-keys", "-a", account, "--json")
        assert ended.code == 0, ended.err
        return ended.json()

    def refused(self, account: str, *arguments: str) -> Json:
        """Run a wallet command that must be refused; the error of its JSON."""
        ended = self.run("wallet", *arguments, "--dev-keys", "-a", account, "--json")
        assert ended.code != 0, ended.out
        return json.loads(ended.err)["error"]
