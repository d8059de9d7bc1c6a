#!/usr/bin/env python3
"""Runs a command in a terminal of its own and passes on what it writes there.

usage: terminal.py COLUMNS [--press KEYS WORD] COMMAND [ARG]...

Once the command has written WORD, the keys are pressed; they are in Python's escapes, such as \\x03 for Ctrl-C.
The exit status is the command's, 128+N where signal N ended it.
"""

import fcntl
import os
import pty
import signal
import struct
import sys
import termios


def main():
    columns, *command = sys.argv[1:]
    keys = word = None
    if command[0] == "--press":
        keys = command[1].encode().decode("unicode_escape").encode("latin-1")
        word = command[2].encode()
        command = command[3:]
    pid, terminal = pty.fork()
    if pid == 0:
        # A caller in the background ignores these, and what is ignored is inherited.
        for ignored in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(ignored, signal.SIG_DFL)
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(columns), 0, 0))
        os.execvp(command[0], command)
    seen = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the last one has closed it
            break
        if not data:
            break
        sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
        sys.stdout.buffer.flush()
        seen += data
        if keys and word in seen:
            os.write(terminal, keys)
            keys = None
    status = os.waitpid(pid, 0)[1]
    sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


main()
