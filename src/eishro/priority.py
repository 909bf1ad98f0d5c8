"""Threads that give way: their work has time, and requests have not."""

import contextlib
import os
import sys
import threading

# The lowest, a seventieth of another thread's share where both want one core. Less low is not
# enough: Linux lets a thread that has begun go on for some milliseconds, and reads wait for it.
NICENESS = 19


def give_way() -> None:
    """Lower the priority of the thread that calls this (Linux knows one for each thread)."""
    if sys.platform != "linux":
        return
    # Where the process itself is nicer already, and may not go back, nothing is to be done.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
