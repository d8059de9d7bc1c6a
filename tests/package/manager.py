#!/usr/bin/env python3
"""Runs the concurrencyd that is installed in a root folder as its systemd units would, where no systemd runs: holds the
socket, starts the daemon as its user, restarts it on SIGHUP, ends it on SIGTERM.

  manager.py ROOT
"""

import grp
import os
import pwd
import signal
import socket
import subprocess
import sys


def main():
    root = sys.argv[1]
    os.chroot(root)
    os.chdir("/")
    user, group = pwd.getpwnam("concurrencyd"), grp.getgrnam("concur")
    for folder, mode in (("/run/concurrencyd", 0o755), ("/var/lib/concurrencyd", 0o700)):
        os.makedirs(folder, exist_ok=True)
        os.chown(folder, user.pw_uid, group.gr_gid)
        os.chmod(folder, mode)
    path = "/run/concurrencyd/concurrencyd.sock"
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    os.chown(path, user.pw_uid, group.gr_gid)
    os.chmod(path, 0o660)
    listener.listen(4096)
    os.dup2(listener.fileno(), 9)
    os.set_inheritable(9, True)

    wanted = []
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda received, frame: wanted.append(received))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM})
    while signal.SIGTERM not in wanted:
        script = "exec 3<&9 9<&-; export LISTEN_FDS=1 LISTEN_PID=$$ STATE_DIRECTORY=/var/lib/concurrencyd; exec concurrencyd"
        daemon = subprocess.Popen(["sh", "-c", script], pass_fds=(9,), user=user.pw_uid, group=group.gr_gid,
                                  extra_groups=[], umask=0o077, preexec_fn=lambda: signal.pthread_sigmask(
                                      signal.SIG_UNBLOCK, {signal.SIGHUP, signal.SIGTERM}))
        wanted.append(signal.sigwait({signal.SIGHUP, signal.SIGTERM}))
        daemon.terminate()
        code = daemon.wait()
        if code != 0:
            sys.exit(f"concurrencyd ended with {code}")


if __name__ == "__main__":
    main()
