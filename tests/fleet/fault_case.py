"""A case in which something befalls a fleet under load, and the table of all of them that stands at the end of the test."""

import atexit
import time
import unittest

import cluster
import faults
import viewers
from viewers import LIMIT

TIMEOUT = 1.0  # fleet-timeout
LEASE = 10
NAMES = ("north", "south", "west")

_table = []


@atexit.register
def print_table():
    if not _table:
        return
    columns = ("fault", "times", "answers", "degraded", "503", "most own", "most hot", "lost starts", "lost ends", "longest wait",
               "engine back after")
    rows = [columns, *_table]
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(columns))]
    for row in rows:
        print("  ".join(str(value).ljust(width) for value, width in zip(row, widths)).rstrip(), flush=True)


def forget_last():
    _table.pop()


class FaultTest(unittest.TestCase):
    _fleets = 0

    def setUp(self):
        faults.require_plain_daemon(self)

    def seeds(self):
        """What the boxes know from the beginning: of each box, or of all."""
        raise NotImplementedError

    def wait_until_whole(self):
        raise NotImplementedError

    def new_boxes(self, policy="local", options=(), names=NAMES, lease=LEASE):
        FaultTest._fleets += 1
        seeds = self.seeds()
        boxes = [cluster.Box(name, seeds[name] if isinstance(seeds, dict) else seeds, "--lease", f"{lease}s", "--limit",
                             str(LIMIT), "--fleet-timeout", f"{TIMEOUT:g}s", "--fleet-unavailable", policy, *options,
                             fleet=f"{type(self).__name__}-{FaultTest._fleets}") for name in names]
        for box in boxes:
            self.enterContext(box)
        return boxes

    def play(self, name, fault, policy="local", times=1, before=0.4, after=1.0, hot_at_most=LIMIT, cut_off=len(NAMES), boxes=None,
             loses=False):
        """`fault(load)` befalls them in the middle; it may return when it began. `hot_at_most`: sessions of a user who is at
        all boxes, where the engine answered all along; where some boxes, `cut_off` of them at most, were by themselves, each
        may have let in as many as the limit. `loses`: what the engine forgot may count for a while as if it had not been."""
        boxes = boxes or self.new_boxes(policy)
        with viewers.Load(boxes, LEASE, TIMEOUT, policy, seed=f"{faults.SEED} {name}") as load:
            for _ in range(times):
                load.go_on(before)
                began = time.monotonic()
                began = fault(load) or began
                load.go_on(after)
            self.wait_until_whole()
            load.go_on(0.2)
            load.finish()
        most_own, most_hot = load.most_at_once("own"), load.most_at_once("hot")
        away = load.away_for(began)
        _table.append((name, times, load.answers(), load.degraded(), load.refused(), most_own, most_hot, len(load.lost_starts),
                       len(load.lost_ends), f"{load.longest:.2f} s", "-" if away is None else f"{away:.1f} s"))
        print(f"{name}: {dict(load.statuses)} {dict(load.others)}; longest: {load.longest_what}", flush=True)

        self.assertEqual(load.violations[:5], [])
        self.assertEqual(load.lost_starts[:5], [])
        if not loses:
            self.assertEqual(load.lost_ends[:5], [])
            self.assertEqual(load.unfounded_denials()[:5], [])
        self.assertLessEqual(most_own, LIMIT, "of a user who is at one box")
        by_themselves = any(each.degraded for each in load.sessions() if each.user.startswith("hot"))
        places = cut_off if cut_off == len(boxes) else cut_off + 1
        self.assertLessEqual(most_hot, max(hot_at_most, places * LIMIT if by_themselves else 0), "of a user who is at all boxes")
        self.assertLessEqual(load.longest, load.longest_allowed(), load.longest_what)
        self.assertGreater(load.answers(), 50)
        return load
