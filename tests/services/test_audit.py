"""`scripts/audit.py` against a database of one's own: no hole, a hole, and no database."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

AUDIT = Path(__file__).resolve().parents[2] / "scripts" / "audit.py"
HOLE = {
    "id": "HOLE-1",
    "affected": [
        {
            "package": {"name": "six", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
        }
    ],
}


@contextmanager
def database(answer: object) -> Iterator[str]:
    """The address of a database in OSV's form that answers every question alike."""
    body = json.dumps(answer).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock of one package."""
    path = tmp_path / "lock.txt"
    path.write_text(f"six==1.17.0 --hash=sha256:{'0' * 64}\n")
    return path


def audit(lock: Path, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(AUDIT), str(lock), "-s", "osv", "--osv-url", url],
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_hole_is_known(lock: Path) -> None:
    with database({}) as url:
        done = audit(lock, url)
    assert (done.returncode, done.stdout) == (0, "lock.txt has no known hole\n"), done.stderr


def test_a_known_hole_fails(lock: Path) -> None:
    with database({"vulns": [HOLE]}) as url:
        done = audit(lock, url)
    assert done.returncode == 1, done.stderr
    assert "six 1.17.0: HOLE-1, fixed in 9.9" in done.stdout


def test_no_database_is_said(lock: Path) -> None:
    with database({}) as url:
        pass
    done = audit(lock, url)
    assert done.returncode == 0, done.stderr
    assert "lock.txt is NOT checked for known holes" in done.stdout
