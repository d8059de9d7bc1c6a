"""The clock that the other tests hold in their hands is itself right: this Python, run behind it, sees what we set."""

import subprocess
import sys
import time
import unittest

import harness

LOOK = """
import ctypes, sys, time
libc = ctypes.CDLL(None)
def gettimeofday():
    value = (ctypes.c_long * 2)()
    assert libc.gettimeofday(value, None) == 0
    return value[0] * 10**9 + value[1] * 1000
libc.time.restype = ctypes.c_long
realtime_coarse = 5
for line in sys.stdin:
    print(time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.clock_gettime_ns(time.CLOCK_REALTIME),
          time.clock_gettime_ns(realtime_coarse), gettimeofday(), libc.time(None),
          time.clock_gettime_ns(time.CLOCK_MONOTONIC), flush=True)
"""


class TestClockTest(unittest.TestCase):
    def setUp(self):
        self.clock = harness.TestClock(harness.private_folder())
        self.process = subprocess.Popen([sys.executable, "-c", LOOK], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=harness.clean_environment(**self.clock.environment()), text=True)
        self.addCleanup(self.end_process)

    def end_process(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(harness.seconds(20))

    def look(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return [int(word) for word in self.process.stdout.readline().split()]

    def assert_sees(self, boot, wall):
        seen_boot, seen_wall, coarse, of_day, in_seconds, monotonic = self.look()
        self.assertEqual(seen_boot, boot * 10**6)
        self.assertEqual([seen_wall, coarse, of_day], [wall * 10**6] * 3)
        self.assertEqual(in_seconds, wall // 1000)
        self.assertLess(abs(time.monotonic_ns() - monotonic), harness.seconds(10) * 10**9)

    def test_frozen_clocks_are_exact_and_move_only_when_moved(self):
        for _ in range(3):
            self.assert_sees(self.clock.boot, self.clock.wall)
        boot, wall = self.clock.boot, self.clock.wall
        self.clock.advance(1)
        self.assert_sees(boot + 1, wall + 1)
        self.clock.jump_wall(-86_400_000)
        self.assert_sees(boot + 1, wall + 1 - 86_400_000)
        self.clock.set(7, 1_001)
        self.assert_sees(7, 1_001)

    def test_running_clocks_are_real_plus_an_offset_each(self):
        self.clock.run_with_offsets(3_600_000, -7_200_000)
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns()
        boot, wall, *_ = self.look()
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns()
        self.assertTrue(before[0] <= boot - 3_600_000 * 10**6 <= after[0])
        self.assertTrue(before[1] <= wall + 7_200_000 * 10**6 <= after[1])

    def test_another_boot_has_another_id_and_other_files_are_themselves(self):
        look = ("import ctypes; libc = ctypes.CDLL(None); libc.fopen.restype = libc.fopen64.restype = ctypes.c_void_p\n"
                "def read(open, path):\n"
                "    file, line = ctypes.c_void_p(open(path, b'r')), ctypes.create_string_buffer(100)\n"
                "    libc.fgets(line, 100, file); libc.fclose(file); return line.value.decode().strip()\n"
                "for open in (libc.fopen, libc.fopen64):\n"
                "    print(read(open, b'/proc/sys/kernel/random/boot_id'), read(open, b'/proc/self/comm'))\n")
        seen = []
        for _ in range(2):
            ended = subprocess.run([sys.executable, "-c", look], env=harness.clean_environment(**self.clock.environment()),
                                   capture_output=True, timeout=harness.seconds(20), text=True)
            self.assertEqual(ended.stderr, "")
            first, second = ended.stdout.splitlines()
            self.assertEqual(first, second)
            boot_id, name = first.split()
            self.assertEqual(boot_id, self.clock.boot_id.read_text().strip())
            self.assertIn("python", name)
            seen.append(boot_id)
            self.clock.reboot(7, 1_001)
        self.assertNotEqual(*seen)
        self.assert_sees(7, 1_001)

    def test_an_unusable_file_ends_the_program_instead_of_showing_the_real_time(self):
        environment = harness.clean_environment(**self.clock.environment())
        environment["TEST_CLOCK_FILE"] = str(self.clock.path) + ".absent"
        ended = subprocess.run([sys.executable, "-c", "pass"], env=environment, capture_output=True,
                               timeout=harness.seconds(20))
        self.assertEqual(ended.returncode, 99)
        self.assertIn(b"TEST_CLOCK_FILE", ended.stderr)


if __name__ == "__main__":
    unittest.main()
