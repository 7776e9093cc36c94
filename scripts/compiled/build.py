"""Makes the extensions: sources to C by mypyc, and C to one library by Python's C compiler."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import version
from pathlib import Path
from time import time

from . import codecs
from .annotations import quoted, uncompilable
from .comparisons import compared_records
from .finder import LIBRARY, MANIFEST, digest_of, stamp_of
from .modules import REPO, compiled, sources

OWN_FILES = REPO / "scripts" / "compiled"
WORK = REPO / "build" / "compiled"
"""What is made on the way, kept for the next time."""
OPTIONS = (
    "-O2",
    "-fvisibility=hidden",
    "-fno-plt",
    "-g0",
    "-w",
    "-fPIC",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-DNDEBUG",
)
UNIX_COMPILERS = ("gcc", "clang")


class CannotCompile(Exception):
    """What is missing here."""


def find_compiler() -> list[str]:
    """The C compiler's command; raises `CannotCompile` where there is none, or no headers."""
    named = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    for command in (named, *([name] for name in UNIX_COMPILERS)):
        if shutil.which(command[0]):
            break
    else:
        raise CannotCompile("there is no C compiler here (on Debian: apt install gcc)")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise CannotCompile("there are no headers of Python (on Debian: apt install python3-dev)")
    return command


def key_of(root: Path = REPO) -> str:
    """What is to be made: of these sources, by these versions and options."""
    own = sorted(OWN_FILES.glob("*.[pch]*"))
    facts = (
        digest_of(str(root), sources(root)),
        digest_of(str(OWN_FILES), [path.name for path in own]),
        version("mypy"),
        sys.version,
        *OPTIONS,
    )
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def build(compiler: Sequence[str]) -> Path:
    """Make everything; the folder with the extensions and their manifest."""
    tree, code, made = WORK / "sources", WORK / "c", WORK / "modules"
    for folder in (tree, code, made):
        shutil.rmtree(folder, ignore_errors=True)
    key = key_of()
    names = _copy_sources(tree)
    if key != key_of():
        raise CannotCompile("a source has changed meanwhile")
    digest = digest_of(str(REPO), names)
    modules = compiled(REPO)
    for module in modules:
        name = uncompilable((REPO / module).read_text())
        if name is not None:
            raise CannotCompile(f"{module}: mypyc ignores the arguments of class {name}")
    for place in compared_records(REPO, modules):
        raise CannotCompile(f"{place}: mypyc compares records of one class by identity")
    modules.append(codecs.write(tree))
    with contextlib.chdir(tree):
        extensions = _generate(modules, code)
    for own in ("attributes.c", "attributes.h"):
        shutil.copy(OWN_FILES / own, code)
    extensions[LIBRARY].append(code / "attributes.c")
    for name, files in extensions.items():
        _compile(compiler, code, files, made.joinpath(*name.split(".")))
    suffix = EXTENSION_SUFFIXES[0]
    found = {path.relative_to(made).as_posix() for path in made.rglob(f"*{suffix}")}
    manifest = {
        "key": key,
        "suffix": suffix,
        "python": sys.version,
        "digest": digest,
        "stamps": stamps(REPO, names, digest),
        "sources": names,
        "modules": {file.removesuffix(suffix).replace("/", "."): file for file in sorted(found)},
    }
    (made / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return made


def stamps(root: Path, names: Sequence[str], digest: str) -> dict[str, str]:
    """What tells without reading the sources that they still have a digest, by their root."""
    stamp = stamp_of(str(root), names, time())
    # read after the stamp: what is written from now on shows in the next one
    return {str(root): stamp} if stamp and digest_of(str(root), names) == digest else {}


def _copy_sources(tree: Path) -> list[str]:
    names = sources(REPO)
    for name in names:
        copy = tree / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(quoted((REPO / name).read_text()))
    (tree / "node" / "__init__.py").touch()
    shutil.copy(REPO / "pyproject.toml", tree)
    return names


def _generate(modules: Sequence[str], code: Path) -> dict[str, list[Path]]:
    """The files of C of each extension, from sources in the working directory.

    One extension is the library, the others are how Python comes to the modules in it. Raises
    `CannotCompile`.
    """
    # Before mypyc, which then takes its parts and not those of the standard library, if any.
    import_module("setuptools")
    from mypyc.build import mypycify

    options = ["--config-file", "pyproject.toml", "--cache-dir", str(WORK / "mypy"), *modules]
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            extensions = mypycify(
                options,
                opt_level="2",
                debug_level="0",
                multi_file=True,
                include_runtime_files=False,
                target_dir=str(code),
                group_name=LIBRARY.removesuffix("__mypyc"),
            )
    except SystemExit as error:
        raise CannotCompile(f"mypyc refuses the sources:\n{told.getvalue()}") from error
    return {
        extension.name: [Path(source).resolve() for source in extension.sources]
        for extension in extensions
    }


def _compile(compiler: Sequence[str], code: Path, files: Iterable[Path], target: Path) -> None:
    """One extension of some files, as many at once as there are cores."""
    folders = (code, _runtime(), _runtime() / "strings", sysconfig.get_path("include"))
    include = [f"-I{folder}" for folder in folders]
    objects = WORK / "objects"
    objects.mkdir(exist_ok=True)
    headers = _digest(sorted(code.glob("*.h")), include)

    def compile_one(file: Path) -> Path:
        extra = ["-include", str(code / "attributes.h")] if _is_generated(file) else []
        result = objects / f"{_digest([file], [headers, *compiler, *OPTIONS, *extra])}.o"
        if not result.exists():
            half = result.with_suffix(".half")
            _run([*compiler, *OPTIONS, *include, *extra, "-c", str(file), "-o", str(half)])
            half.rename(result)
        return result

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        made = [str(path) for path in threads.map(compile_one, files)]
    target.parent.mkdir(parents=True, exist_ok=True)
    linker = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    output = target.with_name(target.name + EXTENSION_SUFFIXES[0])
    _run([*linker, *made, "-o", str(output)])


def _runtime() -> Path:
    import mypyc

    return Path(mypyc.__file__).with_name("lib-rt")


def _is_generated(file: Path) -> bool:
    return file.name.startswith("__native")


def _digest(files: Iterable[Path], facts: Iterable[str]) -> str:
    digest = hashlib.sha256("\n".join(facts).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotCompile(f"{shlex.join(command)}\n{done.stderr}")
