"""One target under atheris, which libFuzzer steers by what the code reaches; see `__main__`.

python -m tests.fuzz.guided TARGET DIRECTORY... LIBFUZZER-OPTIONS
"""

from __future__ import annotations

import sys
from typing import Any

import atheris

INSTRUMENTED = ["protocol", "node"]


def main() -> None:
    """Run until libFuzzer's options say so; a finding ends the process."""
    name = sys.argv[1]
    with atheris.instrument_imports(include=INSTRUMENTED):
        from protocol import binary_source
    original = binary_source.Source.build

    def build(self: binary_source.Source) -> Any:
        """Derived codecs are compiled from source at run time, where no import hook sees them."""
        return atheris.instrument_func(original(self))

    binary_source.Source.build = build  # type: ignore[method-assign]
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import load

        target = load(name)
    options = [f"-max_len={target.max_bytes}", *sys.argv[2:]]
    # libFuzzer starts itself again, by a shell, when it merges.
    command = f"{sys.executable} -m tests.fuzz.guided {name}"
    atheris.Setup([command, *options], lambda data: target.check(data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
