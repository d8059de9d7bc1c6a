"""Runs a file of tests, and once more the cases of it that failed: `once_more.py FILE [CLASS…]`. For faults of real servers,
whose elections and timing nobody holds; a case that fails twice running is one that fails."""

import pathlib
import re
import subprocess
import sys


def run(file, cases):
    done = subprocess.run([sys.executable, file, *cases], capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr, end="", flush=True)
    return done


def main():
    file, cases = sys.argv[1], sys.argv[2:]
    if not pathlib.Path(file).exists():
        sys.exit(f"there is no {file}")
    done = run(file, cases)
    if done.returncode == 0:
        return
    failed = sorted(set(re.findall(r"^(?:FAIL|ERROR): \S+ \(__main__\.(\w+\.\w+)\)", done.stderr, re.MULTILINE)))
    print(f"FAILED, and tried once more: {', '.join(failed) or 'all'}", flush=True)
    sys.exit(run(file, failed or cases).returncode)


if __name__ == "__main__":
    main()
