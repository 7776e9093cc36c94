"""Where a wallet finds the secrets that it signs with: keystore files, or development keys."""

from __future__ import annotations

import getpass
import os
import secrets
import sys
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import platformdirs

from node.cli.exits import KeyMissing, UsageProblem
from node.presets import ACCOUNTS, WITNESSES, development_key
from node.storage.key_files import list_key_files, read_key_file, write_key_file
from protocol.crypto.keys import PrivateKey, key_text, public_key
from protocol.crypto.keystore import (
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    SCRYPT_N_DEFAULT,
    KeystoreHeader,
    decrypt_keystore,
    encrypt_keystore,
    new_header,
    read_header,
)
from protocol.errors import KeyFormatError
from protocol.schema import Digest, PublicKey

AskPassword = Callable[[], str]


class KeyRing(Protocol):
    """What signing asks for secrets."""

    def find(self, key: PublicKey, prefix: str) -> PrivateKey | None:
        """The secret of a public key; None when it is not here."""
        ...


class DevelopmentKeys:
    """The keys of the presets' accounts, which anybody can compute."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """`names` are those of other accounts, as `pegboard faucet` makes them."""
        self._secrets = {
            public_key(secret): secret
            for name in (*ACCOUNTS, *WITNESSES, *names)
            for role in ("active", "owner", "signing")
            for secret in (development_key(name, role),)
        }

    def find(self, key: PublicKey, prefix: str) -> PrivateKey | None:
        """The secret of a development key."""
        return self._secrets.get(key)


class WalletFiles:
    """A directory of keystore files, one key each; a file is decrypted when its key is needed."""

    def __init__(self, directory: Path, ask_password: AskPassword) -> None:
        self.directory = directory
        self._ask_password = ask_password
        self._password: str | None = None
        self._secrets: dict[PublicKey, PrivateKey] = {}

    def headers(self) -> list[KeystoreHeader]:
        """What the files tell without the password, by file name."""
        return [read_header(read_key_file(path)) for path in list_key_files(self.directory)]

    def find(self, key: PublicKey, prefix: str) -> PrivateKey | None:
        """The secret of a key that lies here; asks for the password once."""
        if key not in self._secrets:
            wanted = key_text(key, prefix)
            for path in list_key_files(self.directory):
                text = read_key_file(path)
                if read_header(text).pubkey == wanted:
                    self._secrets[key] = decrypt_keystore(text, self.password())
        return self._secrets.get(key)

    def add(
        self, secret: PrivateKey, *, chain: Digest, role: str, prefix: str, n: int = 0
    ) -> KeystoreHeader:
        """Encrypt a secret into a new file; the password opens all files of the directory.

        Raises `KeyFormatError` for a password that does not open the files that are here, and
        `UsageProblem` for a key that is here already.
        """
        pubkey = key_text(public_key(secret), prefix)
        for path in list_key_files(self.directory):
            text = read_key_file(path)
            if read_header(text).pubkey == pubkey:
                raise UsageProblem("the wallet has this key", value=pubkey)
            decrypt_keystore(text, self.password())
            break
        header = new_header(
            secret, uuid=str(uuid.uuid4()), chain=chain.hex(), role=role, prefix=prefix
        )
        text = encrypt_keystore(
            secret,
            self.password(),
            header,
            salt=secrets.token_bytes(32),
            nonce=secrets.token_bytes(12),
            n=n or SCRYPT_N_DEFAULT,
        )
        write_key_file(self.directory / f"{header.uuid}.json", text)
        return header

    def password(self) -> str:
        """The password, asked for once."""
        if self._password is None:
            self._password = self._ask_password()
        return self._password


def random_key() -> PrivateKey:
    """A new secret from the system's random numbers."""
    while True:
        try:
            return PrivateKey(secrets.token_bytes(32))
        except KeyFormatError:
            continue


def default_wallet_directory() -> Path:
    """Where the wallet lies unless `--wallet` says otherwise."""
    return platformdirs.user_data_path("pegboard") / "wallet"


def password_reader(password_fd: int | None, *, confirm: bool = False) -> AskPassword:
    """How to get the password: from an open file descriptor, else by a prompt on the terminal.

    Never from an argument or a variable, which other processes can see.
    """

    def ask() -> str:
        if password_fd is not None:
            return read_descriptor(password_fd)
        if not sys.stdin.isatty():
            raise KeyMissing("no terminal to ask for the password; use --password-fd")
        least = f" (at least {PASSWORD_LENGTH_MIN} characters)" if confirm else ""
        password = getpass.getpass(f"Wallet password{least}: ")
        if confirm and getpass.getpass("The same again: ") != password:
            raise KeyMissing("the two passwords differ")
        return password

    return ask


def read_descriptor(descriptor: int) -> str:
    """The first line of an open file descriptor, up to the longest password."""
    try:
        data = b""
        while b"\n" not in data and len(data) <= PASSWORD_LENGTH_MAX:
            part = os.read(descriptor, PASSWORD_LENGTH_MAX)
            if not part:
                break
            data += part
    except OSError as error:
        raise UsageProblem(f"cannot read --password-fd: {error}", value=descriptor) from error
    try:
        return data.partition(b"\n")[0].decode()
    except UnicodeDecodeError as error:
        raise KeyFormatError("password is not text") from error
