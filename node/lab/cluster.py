"""The workers of a Dask cluster that is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager

from node.lab.errors import OtherVersion, PackageMissing, SchedulerUnreachable
from node.version import VERSION

CONNECT_S = 10
RETRIES = 3
"""How often a batch is given to another worker once its own was lost."""


def worker_version() -> str:
    """The version of pegboard here; asked of each worker."""
    return VERSION


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """An executor on the workers of a scheduler, "tcp://host:8786", and how many batches they work
    on at once.

    Raises `PackageMissing`, `SchedulerUnreachable`, `OtherVersion`.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise PackageMissing("distributed", "lab", error) from error
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        what = f"--scheduler: no Dask scheduler answers: {error}"
        raise SchedulerUnreachable(what, value=address, limit=f"{CONNECT_S} s") from error
    try:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            what = "--scheduler: the cluster has no workers"
            raise SchedulerUnreachable(what, value=address, limit=f"{CONNECT_S} s") from error
        _check_versions(client.run(worker_version, on_error="return"))
        yield client.get_executor(pure=False, retries=RETRIES), sum(client.nthreads().values())
    except (OSError, CancelledError, KilledWorker) as error:
        what = f"--scheduler: the cluster was lost, and what it has played is kept: {error}"
        raise SchedulerUnreachable(what, value=address) from error
    finally:
        client.close()


def _check_versions(found: Mapping[str, object]) -> None:
    """Refuse workers that would play by other rules."""
    for worker, version in found.items():
        if isinstance(version, BaseException):
            what = f"--scheduler: the worker {worker} cannot play: {version!r}"
            raise OtherVersion(what, value=worker, limit=f"pegboard {VERSION}")
        if version != VERSION:
            what = f"--scheduler: the worker {worker} has another pegboard"
            raise OtherVersion(what, value=version, limit=VERSION)
