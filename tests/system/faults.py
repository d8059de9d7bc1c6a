"""What the tests of faults share: how long they go on, where chance comes from, and a tally of what was done."""

import atexit
import collections
import os
import random
import subprocess

import harness

LONG = bool(os.environ.get("CONCUR_TEST_LONG"))
SEED = int(os.environ.get("CONCUR_TEST_SEED") or 20)


def times(short, long):
    """How often: a few times in the suite, many with CONCUR_TEST_LONG; fewer with instrumented builds."""
    return long if LONG else max(1, round(short / harness.SLOWNESS))


def chance(name):
    return random.Random(f"{SEED} {name}")


_tally = collections.defaultdict(collections.Counter)


def count(fault, seen, number=1):
    """Notes a fault that was brought about and what the user saw of it; all are printed at the end of the test."""
    _tally[fault][seen] += number


def _print_tally():
    for fault, outcomes in _tally.items():
        seen = "; ".join(f"{what}: {number}" for what, number in outcomes.most_common())
        print(f"fault: {fault}, {sum(outcomes.values())} times ({seen})", flush=True)


atexit.register(_print_tally)


def ends_or_runs(daemon):
    """Starts it. True where it runs; False where it ended by itself, its exit code in daemon.process.returncode."""
    try:
        daemon.start()
    except harness.TestSetupError:
        if daemon.process.poll() is None or daemon.process.returncode < 0:
            raise
        return False
    return True


def recover(daemon):
    """concurrencyd --recover on the daemon's database: the CompletedProcess, with text."""
    return subprocess.run([*daemon.command(), "--recover"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=harness.seconds(60), env=harness.clean_environment(), check=False)


def all_sessions(daemon):
    """(user, session) of all that are active, page by page."""
    found, after = [], ""
    with daemon.connect() as connection:
        while True:
            body = connection.get(f"/v1/sessions?limit=1000{after}").json()
            found += [(each["user"], each["session"]) for each in body["sessions"]]
            if not body.get("next"):
                return found
            after = f"&after={harness.segment(body['next'])}"
