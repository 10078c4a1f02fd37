"""The page of a run, served by the run itself while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcts_math.evaluate.grading import Grader
from mcts_math.view.follow import Follower
from mcts_math.view.serve import PageServer


@contextmanager
def dashboard(output: Path, port: int) -> Iterator[str]:
    """Serves the page of a results file from a thread; yields its address.

    Args:
        output: the file, which need not be there yet.
        port: 0 takes a free one.

    Raises:
        RecordError: the port is taken.
    """
    with Grader(1) as grader, PageServer([Follower(output, grader)], port) as server:
        thread = threading.Thread(target=server.run, name="dashboard", daemon=True)
        thread.start()
        try:
            yield server.url
        finally:
            server.stop()
            thread.join()
