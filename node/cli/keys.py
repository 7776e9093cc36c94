"""`pegboard keys`: make, derive and convert keys, without a node."""

from __future__ import annotations

import base64
import secrets
import sys
from pathlib import Path
from typing import IO

import click

from node.cli.exits import UsageProblem
from node.cli.keyring import WalletFiles, password_reader, random_key
from node.cli.options import output_options
from node.cli.output import Output
from node.cli.wallet_sessions import PASSWORD_FD
from node.storage.key_files import read_key_file
from node.storage.node_key import open_node_key
from protocol.crypto.keys import (
    PrivateKey,
    brain_key,
    key_text,
    normalize_brain_key,
    parse_wif,
    password_key,
    public_key,
    wif,
)
from protocol.crypto.keystore import SCRYPT_N_DEFAULT, decrypt_keystore, read_header
from protocol.json_form import JsonValue
from protocol.schema import Digest

SECRET_LENGTH_MAX = 2048
BRAIN_KEY_BITS = 160
BRAIN_KEY_GROUP = 4

PREFIX = click.option(
    "--prefix",
    default="TEST",
    show_default=True,
    metavar="LETTERS",
    help="Begins public keys, as the chain says.",
)


@click.group()
def keys() -> None:
    """Make, derive and convert keys. Secrets are read from standard input, never from arguments.

    \b
    pegboard keys new
    pegboard keys public < alice.wif
    pegboard keys node node.key
    """


@keys.command()
@PREFIX
@output_options
def new(output: Output, prefix: str) -> None:
    """Make a random key, and print it in WIF: keep that secret."""
    _print_key(output, random_key(), prefix)


@keys.command()
@output_options
def suggest(output: Output) -> None:
    """Suggest a brain key: random letters that stand for any number of keys."""
    text = base64.b32encode(secrets.token_bytes(BRAIN_KEY_BITS // 8)).decode().rstrip("=")
    groups = [text[at : at + BRAIN_KEY_GROUP] for at in range(0, len(text), BRAIN_KEY_GROUP)]
    words = normalize_brain_key(" ".join(groups))
    output.answer({"brain_key": words}, [words])


@keys.command()
@click.option(
    "--sequence",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Number of the key.",
)
@click.option(
    "--account",
    metavar="NAME",
    help="Derive the key of a password account instead; the line read is its password.",
)
@click.option(
    "--role",
    default="active",
    show_default=True,
    help="Role of a password account's key: active, owner, memo.",
)
@PREFIX
@output_options
def derive(output: Output, sequence: int, account: str | None, role: str, prefix: str) -> None:
    """Derive a key from a brain key, or from an account's password, on standard input.

    \b
    pegboard keys derive --sequence 1 < brain-key.txt
    pegboard keys derive --account alice --role active < password.txt
    """
    words = _read_secret(sys.stdin)
    if account is not None:
        _print_key(output, password_key(account, role, words), prefix)
    else:
        _print_key(output, brain_key(words, sequence), prefix)


@keys.command()
@click.argument("wif_file", type=click.File("r"), default="-")
@PREFIX
@output_options
def public(output: Output, wif_file: IO[str], prefix: str) -> None:
    """Print the public key of a WIF, read from a file or standard input."""
    text = key_text(public_key(parse_wif(_read_secret(wif_file))), prefix)
    output.answer({"public_key": text}, [text])


@keys.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--chain-id", default="00" * 32, metavar="HEX", help="Chain that the key is for.")
@click.option("--role", default="active", show_default=True, help="What the key is for.")
@click.option(
    "--scrypt-n",
    type=click.IntRange(1 << 14, 1 << 20),
    default=SCRYPT_N_DEFAULT,
    show_default=True,
    help="Work to try one password: a power of two; each doubling takes twice the memory.",
)
@PREFIX
@PASSWORD_FD
@output_options
def encrypt(
    output: Output,
    directory: Path,
    chain_id: str,
    role: str,
    scrypt_n: int,
    prefix: str,
    password_fd: int | None,
) -> None:
    """Encrypt the WIF on standard input into a new keystore file in DIRECTORY.

    \b
    pegboard keys encrypt my-keys --password-fd 3 < alice.wif 3< password.txt
    """
    secret = parse_wif(_read_secret(sys.stdin))
    try:
        chain = Digest(bytes.fromhex(chain_id))
    except ValueError as error:
        raise UsageProblem("--chain-id is not hexadecimal", value=chain_id) from error
    files = WalletFiles(directory, password_reader(password_fd, confirm=True))
    header = files.add(secret, chain=chain, role=role, prefix=prefix, n=scrypt_n)
    path = directory / f"{header.uuid}.json"
    output.answer({"public_key": header.pubkey, "file": str(path)}, [str(path)])


@keys.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@PASSWORD_FD
@output_options
def decrypt(output: Output, file: Path, password_fd: int | None) -> None:
    """Print the WIF of a keystore file: whoever sees it owns the account."""
    text = read_key_file(file)
    secret = decrypt_keystore(text, password_reader(password_fd)())
    document: JsonValue = {"public_key": read_header(text).pubkey, "wif": wif(secret)}
    output.answer(document, [wif(secret)])


@keys.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@output_options
def node(output: Output, file: Path) -> None:
    """Make the key of a node in FILE, unless it is there, and print its public half.

    Other nodes name it in allowed_keys, or in a seed as KEY@HOST:PORT. A node uses the file with
    --node-key, or as keys/node.key in its data directory.

    \b
    pegboard keys node witness/data/keys/node.key
    """
    key = open_node_key(file).public.hex()
    output.answer({"public_key": key, "file": str(file)}, [key])


def _read_secret(stream: IO[str]) -> str:
    text = stream.readline(SECRET_LENGTH_MAX).strip()
    if not text:
        raise UsageProblem("no secret on standard input")
    return text


def _print_key(output: Output, secret: PrivateKey, prefix: str) -> None:
    text = key_text(public_key(secret), prefix)
    output.answer(
        {"wif": wif(secret), "public_key": text},
        [f"secret (WIF)  {wif(secret)}", f"public key    {text}"],
    )
