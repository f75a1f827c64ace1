"""Worker processes, seen from the campaign: started, given one job at a time, listened to, and always
stopped.

Each worker leads a process group of its own, so that Ctrl-C reaches the campaign alone, which then stops its
workers in order; and so that what a dead worker leaves behind can be ended. A worker whose campaign was
killed finds its pipe closed, and ends by itself.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.campaign.job import Job, job_to_json
from harness.errors import (
    HarnessError,
    InfrastructureError,
    NotSimulated,
    PaychaosError,
    TargetError,
    UsageError,
)
from harness.realtime import monotonic_us

WORKER_COMMAND = (sys.executable, "-P", "-m", "harness.campaign.worker")
"""-P: a file of the user's that is called like a module of ours or of Python's must not take its place."""

GRACE_SECONDS = 10
TICK_SECONDS = 0.2
LAST_WORDS_LINES = 5
SILENCE_SECONDS = 300.0
"""A worker tells of each run, and each run has a limit of real time. One that says nothing for so long is lost."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """One JSON document that the job produced."""

    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finished:
    """The job is done."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The job ended with an error. hopeless: no other job on the same build can do better (it did not start)."""

    error: PaychaosError
    hopeless: bool = False


Reply = Emitted | Finished | Failed


class WorkerProcess:
    """One worker. Its pipe speaks JSON lines; whatever the target prints goes to the log file."""

    def __init__(self, log: Path, command: tuple[str, ...] = WORKER_COMMAND) -> None:
        self.log = log
        self.job: Job | None = None
        self.heard_us = 0
        self._rest = b""
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
                env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def give(self, job: Job) -> None:
        """Hands the worker its next job; it must have none."""
        assert self._process.stdin is not None
        self.job = job
        self.heard_us = monotonic_us()
        with suppress(BrokenPipeError):  # a worker that died is noticed when it is read
            self._process.stdin.write((json.dumps(job_to_json(job)) + "\n").encode())

    def read(self) -> list[Reply] | None:
        """What has come since; None when the worker has ended."""
        data = os.read(self.fileno(), 1 << 20)
        self.heard_us = monotonic_us()
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [reply_from_json(json.loads(line)) for line in lines]

    def obituary(self) -> InfrastructureError:
        """Why it ended, and the last lines that it wrote."""
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        lines = self.log.read_text(errors="replace").strip().splitlines()[-LAST_WORDS_LINES:]
        words = f" Its last words: {' / '.join(line.strip() for line in lines)}" if lines else ""
        return InfrastructureError(
            f"a worker process {how} in the middle of its job."
            f" Run it again; --workers 1 needs less memory.{words}"
        )

    def terminate(self) -> None:
        """Asks it to end; `reap` waits for that."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """Ends it, and what it started in its group, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Waits for the end, for a bounded time, then makes sure of it and of its children."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        self.kill()
        self._process.wait()


class Pool:
    """Up to `size` workers, started when there is work for them. A context manager: leaving it stops all of
    them.
    """

    def __init__(
        self,
        size: int,
        logs: Path,
        command: tuple[str, ...] = WORKER_COMMAND,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._silence_us = round(silence_seconds * 1_000_000)
        self._size = size
        self._logs = logs
        self._command = command
        self._started = 0
        self._workers: list[WorkerProcess] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, next_job: Callable[[], Job | None]) -> Iterator[tuple[Job, Reply] | None]:
        """Does jobs until `next_job`, asked whenever a worker is free, has none and all are done.

        Yields each reply with its job as it comes, and None about five times a second, for whoever shows
        progress.
        """
        self._hand_out(next_job)
        while any(worker.job for worker in self._workers):
            ready = self._selector.select(TICK_SECONDS)
            yield None
            yield from self._lost(next_job)
            for key, _ in ready:
                yield from self._replies_of(key.fileobj)  # type: ignore[arg-type]
                self._hand_out(next_job)

    def stop(self) -> None:
        """Ends all workers; they close what they started."""
        workers, self._workers = self._workers, []
        for worker in workers:
            self._selector.unregister(worker)
            worker.terminate()
        for worker in workers:
            worker.reap()

    def _lost(self, next_job: Callable[[], Job | None]) -> Iterator[tuple[Job, Reply]]:
        """Ends workers that have said nothing for too long in the middle of a job."""
        now_us = monotonic_us()
        for worker in list(self._workers):
            if worker.job is None or now_us - worker.heard_us <= self._silence_us:
                continue
            job = worker.job
            worker.kill()
            self._dismiss(worker)
            yield job, Failed(_silent(self._silence_us))
            self._hand_out(next_job)

    def _dismiss(self, worker: WorkerProcess) -> None:
        self._selector.unregister(worker)
        self._workers.remove(worker)
        worker.reap()

    def _hand_out(self, next_job: Callable[[], Job | None]) -> None:
        idle = [worker for worker in self._workers if worker.job is None]
        while idle or len(self._workers) < self._size:
            job = next_job()
            if job is None:
                return
            worker = idle.pop() if idle else self._start()
            worker.give(job)

    def _start(self) -> WorkerProcess:
        self._started += 1
        worker = WorkerProcess(self._logs / f"worker-{self._started}.log", self._command)
        self._workers.append(worker)
        self._selector.register(worker, selectors.EVENT_READ)
        return worker

    def _replies_of(self, worker: WorkerProcess) -> Iterator[tuple[Job, Reply]]:
        replies = worker.read()
        if replies is None:
            replies = [Failed(worker.obituary())]
            self._dismiss(worker)
        for reply in replies:
            job = worker.job
            if job is None:
                continue
            if not isinstance(reply, Emitted):
                worker.job = None
            yield job, reply


def _silent(silence_us: int) -> InfrastructureError:
    return InfrastructureError(
        f"a worker process said nothing for {silence_us / 1_000_000:.0f} s and was ended."
        " Run it again with --workers 1 and nothing else on this machine."
    )


_ERRORS: dict[str, type[PaychaosError]] = {
    kind.__name__: kind for kind in (UsageError, InfrastructureError, TargetError, HarnessError)
}


def reply_from_json(document: dict[str, Any]) -> Reply:
    """The reverse of what the worker writes."""
    match document["reply"]:
        case "emitted":
            return Emitted(document["document"])
        case "finished":
            return Finished()
        case _:
            return Failed(error_from_json(document), bool(document["hopeless"]))


def error_from_json(document: dict[str, Any]) -> PaychaosError:
    """The error that the worker caught; a bug of ours carries its traceback as a note."""
    if document["error"] == NotSimulated.__name__:
        return NotSimulated(document["what"], document["remedy"])
    error = _ERRORS.get(document["error"], InfrastructureError)(document["text"])
    if document["trace"]:
        error.add_note(document["trace"])
    return error
