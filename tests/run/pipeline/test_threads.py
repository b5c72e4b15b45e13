from __future__ import annotations

import threading
import time

from cedtag.run.pipeline.threads import DaemonThreads, WorkQueue


def test_items_come_in_the_order_they_went_in():
    queue = WorkQueue()
    queue.put(1)
    queue.put(2)
    assert (queue.get(), queue.get_waiting(), queue.get_waiting()) == (1, 2, None)


def test_a_queue_that_is_closed_wakes_everybody_and_drops_what_it_holds():
    queue, threads, got = WorkQueue(), DaemonThreads(), []
    for _ in range(3):
        threads.start("waits", lambda: got.append(queue.get()))
    time.sleep(0.1)
    queue.close()
    threads.join(5)
    assert got == [None, None, None]
    queue.put(1)
    assert (queue.get(), queue.get_waiting()) == (None, None)


def test_threads_are_daemons_and_joining_them_takes_no_longer_than_it_may():
    threads, never = DaemonThreads(), threading.Event()
    for _ in range(10):
        threads.start("hangs", lambda: never.wait(20) and None)
    started = time.monotonic()
    threads.join(0.2)
    assert 0.2 <= time.monotonic() - started < 1.5
    found = [thread for thread in threading.enumerate() if thread.name == "cedtag-hangs"]
    assert [thread.daemon for thread in found] == [True] * 10
    never.set()
    threads.join(5)
    assert not any(thread.is_alive() for thread in found)
