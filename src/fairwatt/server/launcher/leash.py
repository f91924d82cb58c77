"""Becomes another program that dies when its supervisor does. Run as a script; imports nothing of ours.

    python -I -S leash.py PARENT SIGNAL UID GID -- program argument ...

The kernel forgets the parent-death signal when credentials change, so the user is changed first. Doing this
in a fresh interpreter, and not between fork and exec, keeps a supervisor with threads out of trouble.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, signal_number, uid, gid = (int(word) for word in sys.argv[1:5])
    program = sys.argv[6:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            raise SystemExit(1)
    os.execv(program[0], program)  # noqa: S606  (argv is the supervisor's own, no shell wanted)


if __name__ == "__main__":
    main()
