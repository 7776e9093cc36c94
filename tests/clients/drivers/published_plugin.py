"""A pytest plugin for python-bitshares' own tests: their node is ours, whatever they ask for.

Loaded with `-p published_plugin` by the clients' interpreter. The address and the chain id come
from the environment; nothing else of the client or of its tests is touched.
"""

from __future__ import annotations

import os
from typing import Any

from bitsharesbase.chains import known_chains
from grapheneapi.api import Api

known_chains["BTS"]["chain_id"] = os.environ["PEGBOARD_CHAIN_ID"]

_connect = Api.__init__


def _connect_here(self: Any, url: str, *arguments: Any, **options: Any) -> None:
    _connect(self, os.environ["PEGBOARD_URL"], *arguments, **options)


Api.__init__ = _connect_here
