"""Programs of others that tests ask in by way of Node.js: those of tests/web, as its lock file has them, and Chromium."""

import os
import shutil
import subprocess
import unittest

import harness

TOOLS = harness.REPOSITORY / "tests" / "web"
LOWEST = 20  # of Node.js, as Playwright wants
INSTALL = "packaging/install-build-needs --with-clients"


def chromium():
    """Its path, or none. Snap's, which some distributions have under this name, cannot read folders of tests."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path and "snap" not in os.path.realpath(path):
            return path
    return None


def needs_tools(browser=False):
    """For a test with them: it is skipped where they are not."""
    if not shutil.which("node") or not (TOOLS / "node_modules" / ".package-lock.json").exists():
        return unittest.skip(f"the tools of tests/web are not installed: {INSTALL}")
    text = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True, timeout=harness.seconds(20)).stdout
    if int(text.strip().lstrip("v").split(".")[0]) < LOWEST:
        return unittest.skip(f"it takes Node.js {LOWEST}, and this is {text.strip()}")
    return unittest.skipUnless(not browser or chromium(), f"chromium is not installed: {INSTALL}")


def run(script, *words, within=120, **environment):
    environment = harness.clean_environment(CHROMIUM=chromium() or "", **environment)
    return subprocess.run(["node", str(TOOLS / script), *map(str, words)], capture_output=True, text=True, check=False,
                          env=environment, stdin=subprocess.DEVNULL, timeout=harness.seconds(within))
