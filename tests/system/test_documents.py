"""What is written about the programs against the programs: the config file, the manual's pages with their examples, --help,
the completions of the shells."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import harness
from engine_server import EngineServer

MAN = harness.REPOSITORY / "man"
PACKAGING = harness.REPOSITORY / "packaging"
COMPLETIONS = PACKAGING / "completions"
PAGES = ["concur.1", "concurrencyd.8", "concurrencyd.conf.5", "concurrencyd-api.7", "concurrencyd-fleet.7",
         "concurrencyd-proxy.7", "concurrencyd-rules.7"]
GOLDEN = harness.REPOSITORY / "tests" / "system" / "golden"
SOCKET = "/run/concurrencyd/concurrencyd.sock"


def output(*command, **more):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True,
                          timeout=harness.seconds(20), **more).stdout


def flags_in(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def help_of(program, *words):
    """The options that --help lists; not those that its examples use."""
    text = output(program, *words, "--help", env=harness.clean_environment())
    listed = [line for line in text.split("\n") if re.match(r"\s+(-\w,)?\s*--", line)]
    return {re.match(r"\s+(?:-\w,)?\s*(--[a-z-]+)", line).group(1) for line in listed}


def commands_of(*words):
    """The command lines, without options, that concur --help leads to."""
    text = output(harness.CONCUR, *words, "--help", env=harness.clean_environment())
    _, found, listed = text.partition("Subcommands:\n")
    names = re.findall(r"^  (\w+) ", listed.partition("\n\n")[0], re.M) if found else []
    if not names:
        return [words]
    return [line for name in names for line in commands_of(*words, name)]


def flags_of_page(page):
    return {"-" + name for name in re.findall(r"Fl (-[a-z][a-z-]*)", (MAN / page).read_text())} | \
        {"--" + name for name in re.findall(r"Fl (?:h , Fl )?-([a-z][a-z-]*)", (MAN / page).read_text())}


def settings():
    """The daemon's settings with their defaults as a service; the name of this machine is none for all."""
    environment = harness.clean_environment(STATE_DIRECTORY="/var/lib/concurrencyd")
    text = output(harness.DAEMON, "--config", "/dev/null", "--check-config", "--fleet", "valkey://a", env=environment)
    text = re.sub(r"^fleet = .*", "fleet =   # default", text, flags=re.M)
    text = re.sub(r"^box = .*", "box =   # default", text, flags=re.M)
    return re.findall(r"^(\S+) = (.*?)  # default$", text, re.M)


class Settings(unittest.TestCase):
    def test_the_config_file_has_each_as_a_comment_with_its_default(self):
        text = (PACKAGING / "concurrencyd.conf").read_text()
        self.assertEqual(re.findall(r"^#([a-z-]+) = ?(.*)$", text, re.M), settings())
        self.assertNotRegex(text, re.compile("^[^#\n]", re.M))

    def test_the_config_file_is_good_with_each_comment_taken_away(self):
        text = re.sub(r"^#((?:rule )?[a-z-]+ =)", r"\1", (PACKAGING / "concurrencyd.conf").read_text(), flags=re.M)
        folder = harness.private_folder()
        (folder / "conf").write_text(text)
        output(harness.DAEMON, "--config", folder / "conf", "--check-config", env=harness.clean_environment())

    def test_the_config_file_says_which_are_reloaded_as_the_page_does(self):
        page = (MAN / "concurrencyd.conf.5").read_text()
        entries = re.findall(r"^\.It Ic ([a-z-]+) Li.*?(?=^\.It Ic|^\.El)", page, re.M | re.S)
        of_page = {match.group(1) for match in
                   re.finditer(r"^\.It Ic ([a-z-]+) Li(.*?)(?=^\.It Ic|^\.El)", page, re.M | re.S)
                   if ".Em Reload" in match.group(2)}
        text = (PACKAGING / "concurrencyd.conf").read_text()
        of_file = set(re.findall(r"\(reload\)\n#([a-z-]+) =", text))
        self.assertEqual(of_file, of_page)
        signals = re.search(r"^\.It Dv SIGHUP\n(.*?)^\.El", (MAN / "concurrencyd.8").read_text(), re.M | re.S)[1]
        applied = set(re.findall(r"^\.Ql ([a-z-]+)", signals.split("read the files")[0], re.M))
        self.assertEqual({"authorize-" if name.startswith("authorize-") else name for name in of_page}, applied)
        self.assertEqual(entries, [name for name, _ in settings()])


class Flags(unittest.TestCase):
    def test_of_the_daemon_stand_in_help_page_and_completions(self):
        flags = help_of(harness.DAEMON)
        self.assertEqual({f"--{name}" for name, _ in settings()} - flags, set())
        self.assertEqual(flags - flags_of_page("concurrencyd.8") - {"--help"}, set())
        self.assertEqual(set(complete_in_bash("concurrencyd", "--")), flags)
        self.assert_completed("concurrencyd", flags)

    def test_of_concur_stand_in_help_page_and_completions(self):
        everywhere = set()
        for words in commands_of():
            with self.subTest(command=" ".join(words)):
                flags = help_of(harness.CONCUR, *words)
                everywhere |= flags
                completed = set(complete_in_bash("concur", *words, "--")) - {"--"}
                self.assertEqual(completed, flags)
        everywhere |= help_of(harness.CONCUR)
        self.assertEqual(everywhere - flags_of_page("concur.1"), set())
        self.assert_completed("concur", everywhere)

    def test_commands_are_completed(self):
        first = {words[0] for words in commands_of()}
        self.assertEqual({word for word in complete_in_bash("concur", "") if word[0] != "-"}, first)
        for group in ("limit", "plan", "fleet"):
            second = {words[1] for words in commands_of() if words[0] == group}
            self.assertEqual({word for word in complete_in_bash("concur", group, "") if word[0] != "-"}, second)
        for file in ("_concur", "concur.fish"):
            text = (COMPLETIONS / file).read_text()
            for word in first:
                self.assertRegex(text, rf"['\s]{word}[:\s]", file)

    def assert_completed(self, program, flags):
        zsh = set(re.findall(r"['\"*)](--[a-z-]+)\[", (COMPLETIONS / f"_{program}").read_text()))
        fish = {f"--{name}" for name in 
                re.findall(r"^\s*complete .* -l ([a-z-]+)", (COMPLETIONS / f"{program}.fish").read_text(), re.M)}
        self.assertEqual(zsh, flags)
        self.assertEqual(fish, flags)

    def test_every_command_shows_examples(self):
        for words in commands_of():
            text = output(harness.CONCUR, *words, "--help", env=harness.clean_environment())
            self.assertIn("Examples:", text, words)


def complete_in_bash(*words, environment=None):
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
              '_"$1"; printf "%s\\n" "${COMPREPLY[@]}"')
    return output("bash", "-c", script, "bash", COMPLETIONS / f"{words[0]}.bash", *words,
                  env=environment or harness.clean_environment()).split()


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon().start()
        with cls.daemon.connect() as connection:
            for user, session in (("ann", "tv"), ("ann", "phone"), ("bob", "tablet")):
                connection.start(user, session)
        cls.environment = harness.clean_environment(CONCUR_SOCKET=str(cls.daemon.socket))
        cls.environment["PATH"] = f"{harness.BIN_DIR}:{cls.environment['PATH']}"

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def test_bash_completes_users_and_the_sessions_of_the_user(self):
        def complete(*words):
            return complete_in_bash("concur", *words, environment=self.environment)
        self.assertEqual(complete("end", "--user", ""), ["ann", "bob"])
        self.assertEqual(complete("end", "--user", "b"), ["bob"])
        self.assertEqual(complete("end", "--user", "ann", "--session", ""), ["phone", "tv"])
        self.assertEqual(complete("end", "--session", "t"), ["tablet", "tv"])

    def test_fish_completes_users_and_the_sessions_of_the_user(self):
        if not shutil.which("fish"):
            self.skipTest("fish is not here")
        def complete(line):
            text = output("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]",
                          COMPLETIONS / "concur.fish", line, env=self.environment)
            return [offer.split("\t")[0] for offer in text.splitlines()]
        self.assertEqual(complete("concur end --user "), ["ann", "bob"])
        self.assertEqual(complete("concur end --user ann --session "), ["phone", "tv"])
        self.assertIn("evict-oldest", complete("concur start --on-limit "))
        self.assertIn("--plan", complete("concur limit set --"))
        self.assertNotIn("--plan", complete("concur limit get --"))

    def test_zsh_reads_its_completions(self):
        if not shutil.which("zsh"):
            self.skipTest("zsh is not here")
        for name in ("_concur", "_concurrencyd"):
            output("zsh", "-n", COMPLETIONS / name)


def examples_of(page):
    text = (MAN / page).read_text().partition(".Sh EXAMPLES\n")[2].partition("\n.Sh ")[0]
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", text, re.M | re.S)
    return [block.replace("\\e", "\\").replace("\\&", "").replace("\\(aq", "'") for block in blocks]


class Pages(unittest.TestCase):
    def test_each_has_the_sections_that_scripts_writers_look_for(self):
        for page in PAGES:
            text = (MAN / page).read_text()
            for section in ("EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLES"):
                self.assertIn(f"\n.Sh {section}\n", text, page)

    def test_mandoc_finds_nothing(self):
        for page in PAGES:
            done = subprocess.run([harness.require_program("mandoc", "mandoc"), "-T", "lint", "-W", "style,stop",
                                   str(MAN / page)], capture_output=True, text=True, check=False)
            # Which pages are installed is the machine's affair.
            found = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
            self.assertEqual(found, [], page)


# What each example needs around it, by its first words: text before, text after, and a pattern of what it prints.
FULL = "for n in 1 2 3; do concur start --user abc --session s$n >/dev/null; done\n"
REACHED = "until concur fleet status | grep -q '\"state\":\"ok\"'; do sleep 0.1; done\n"
ROUND = {
    "concur run --timeout 1s": ("user=abc; stream=xyz; mkdir bin; PATH=$PWD/bin:$PATH\n"
                                "printf '#!/bin/sh\\necho played $1\\n' >bin/mpv; chmod 755 bin/mpv\n", "", "played film.mkv"),
    "concur --timeout 1s start": ("play() { echo played; }; user=abc; stream=xyz\n", "", "played"),
    "concur start --user abc --session xyz | jq": (FULL, "", "too many"),
    "while concur heartbeat": ("concur start --user abc --session xyz >/dev/null\n"
                               "sleep() { echo \"slept $1\"; concur end --user abc --session xyz >/dev/null; }\n",
                               "", "^slept 30$"),
    "start=$(concur start": ("play() { concur start --user abc --session tv >/dev/null; }\n", "", '"reason":"other_start"'),
    "concur run": (FULL, "", "too many streams"),
    "concur start --user abc --session xyz --on-limit": (FULL, "", '"evicted":'),
    "concur plan set": ("", "concur limit get --user abc\n", '"limit":5'),
    "coproc concur batch": ("", "echo \"$answer\"\n", '"status":201'),
    "concur explain": (FULL, "", "^session one more of user abc would be denied: the limit of 3 is reached\\.$"),
    "concur explain --user abc --meta type=tv |": (FULL, "", "^limit: s1 s2 s3$"),
    "concur report": (FULL + "concur start --user abc --session s4 >/dev/null || :\n", "", "abc"),
    "watch concur list": (FULL + "watch() { \"$@\"; }\n", "", "s1"),
    "concur list --output ndjson": (FULL, "", "3 abc"),
    "concur fleet check": (REACHED, "[ $? = 2 ]\n", "^problem: no replica follows it$"),
    "concur fleet check --output table\nconcur fleet check | jq": (REACHED, "", "REPLICAOF"),
    "concur fleet status | jq": (REACHED, "echo said\n", "\\Asaid$"),
    "concur list --user abc --output table": (REACHED + FULL, "", "^USER .* BOX$"),
    "concur purge": (FULL, "", '"purged":0'),
    "concur backup": (FULL, "", '"bytes":'),
    "concurrencyd --socket": ("", "kill %1; wait %1\n", '"concurrentSessions":1'),
    "curl --unix-socket /run/concurrencyd/concurrencyd.sock -X PUT": ("", "", '"heartbeatInterval":40'),
    "curl --unix-socket /run/concurrencyd/concurrencyd.sock -X POST": (
        "concur start --user abc --session xyz >/dev/null\n", "", '"ended":true'),
    "curl --unix-socket /run/concurrencyd/concurrencyd.sock -s -o /dev/null": ("", "", "^204$"),
    "for n in 1 2 3 4; do": ("", "", "X-Concur-Reason: limit_reached"),
    "status=$(curl": (FULL, "", "too many streams"),
    "concurrencyd --config": ("systemctl() { echo \"systemctl $*\"; }\n", "", "systemctl reload concurrencyd"),
}


class Plot(unittest.TestCase):
    def test_of_speed_shows_the_table(self):
        folder = harness.REPOSITORY / "tests" / "bench"
        drawn = harness.private_folder() / "speed.svg"
        output(sys.executable, folder / "speed_plot.py", harness.REPOSITORY / "README.md", drawn)
        self.assertEqual(drawn.read_text(), (folder / "speed.svg").read_text(),
                         "draw it anew: tests/bench/speed_plot.py README.md tests/bench/speed.svg")


class Examples(unittest.TestCase):
    def setUp(self):
        self.begin()

    def begin(self, *options):
        """A daemon that knows nobody; what was purged by the last one would be kept out for minutes."""
        self.folder = harness.private_folder()
        self.daemon = harness.Daemon(*options, folder=self.folder).start()
        self.environment = harness.clean_environment(CONCUR_SOCKET=str(self.daemon.socket), LC_ALL="C.UTF-8")
        self.environment["PATH"] = f"{harness.BIN_DIR}:{self.environment['PATH']}"

    def tearDown(self):
        if self.daemon.running():
            self.daemon.stop()

    def test_of_the_pages_work(self):
        engine = self.enterContext(EngineServer())
        for page in PAGES:
            for example in examples_of(page):
                if re.match("[a-z-]+ = ", example) or example.startswith("concur watch"):
                    continue  # below
                self.tearDown()
                in_fleet = page == "concurrencyd-fleet.7" or "concur fleet" in example
                self.begin(*(["--fleet", engine.url] if in_fleet else []))
                with self.subTest(page=page, example=example):
                    self._run(example)

    def _run(self, example):
        key = max((key for key in ROUND if example.startswith(key)), key=len, default=None)
        self.assertIsNotNone(key, "this example is not tried: say in ROUND what it needs")
        before, after, prints = ROUND[key]
        conf = PACKAGING / "concurrencyd.conf"
        text = example.replace("/tmp/", f"{self.folder}/").replace("/var/backups", str(self.folder))
        text = text.replace(SOCKET, str(self.daemon.socket)).replace("/etc/concurrencyd/concurrencyd.conf", str(conf))
        done = subprocess.run(["bash", "-c", before + text + after], env=self.environment, cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=harness.seconds(60))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, re.compile(prints, re.M))

    def test_of_the_config_file_are_good(self):
        examples = [text for text in examples_of("concurrencyd.conf.5") if re.match("[a-z-]+ = ", text)]
        self.assertTrue(examples)
        for example in examples:
            (self.folder / "conf").write_text(example)
            text = output(harness.DAEMON, "--config", self.folder / "conf", "--socket", "s", "--database", "d",
                          "--check-config", env=harness.clean_environment())
            for line in example.splitlines():
                self.assertIn(f"{line}  # ", text)

    def test_of_watching_tells_who_is_refused(self):
        examples = [text for text in examples_of("concur.1") if text.startswith("concur watch |")]
        self.assertEqual(len(examples), 1)
        with open(self.folder / "reported", "w+") as reported:
            watching = subprocess.Popen(["bash", "-c", examples[0]], env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=reported, stderr=subprocess.DEVNULL)
            with self.daemon.connect() as connection:
                for session in ("s1", "s2", "s3"):
                    connection.start("abc", session)

                def it_is_reported():
                    self.assertEqual(connection.start("abc", "s4").status, 409)
                    return pathlib.Path(reported.name).read_text()

                harness.wait_until(it_is_reported, "the watcher reports a denial")
            self.daemon.stop()
            watching.wait(harness.seconds(20))
            self.assertEqual(set(pathlib.Path(reported.name).read_text().split()), {"abc"})

    def test_of_a_command_for_each_event_runs_it_once_for_a_user(self):
        example, = [text for text in examples_of("concur.1") if text.startswith("concur watch --exec")]
        state, told = self.folder / "state", self.folder / "told"
        (self.folder / "refused").write_text(f"#!/bin/sh\ncat >>{told}\n")
        (self.folder / "refused").chmod(0o755)
        watching = subprocess.Popen(["bash", "-c", "exec " + example.replace("/var/lib/refused", str(state))], cwd=self.folder,
                                    env=self.environment, stdin=subprocess.DEVNULL)
        self.addCleanup(watching.wait)
        self.addCleanup(watching.terminate)
        harness.wait_until(state.exists, "it watches")
        with self.daemon.connect() as connection:
            for user in ("abc", "xyz"):
                for session in ("s1", "s2", "s3", "s4", "s4"):
                    connection.start(user, session)
            last = connection.get("/v1/status").json()["events"]
        harness.wait_until(lambda: json.loads(state.read_text()) == last, "all is done")
        self.assertEqual([json.loads(line)["user"] for line in told.read_text().splitlines()], ["abc", "xyz"])


class Captures(unittest.TestCase):
    """What a user sees, kept as text under golden. With GOLDEN_UPDATE=1 that is written anew, to be looked at and
    committed."""

    def assert_golden(self, name, text):
        path = GOLDEN / name
        if os.environ.get("GOLDEN_UPDATE"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.maxDiff = None
        self.assertEqual(text, path.read_text())

    def test_help(self):
        if "bookworm" not in pathlib.Path("/etc/os-release").read_text():
            self.skipTest("the capture is of Debian 12; other versions of CLI11 lay it out in other ways")
        environment = harness.clean_environment()
        shown = [output(harness.DAEMON, "--help", env=environment).replace(str(harness.DAEMON), "concurrencyd")]
        for words in [()] + commands_of():
            text = output(harness.CONCUR, *words, "--help", env=environment).replace(str(harness.CONCUR), "concur")
            shown.append(f"$ {' '.join(['concur', *words, '--help'])}\n{text}")
        self.assert_golden("help.txt", "$ concurrencyd --help\n" + "\n".join(shown))

    def test_completions(self):
        lines = ["concur ", "concur l", "concur limit ", "concur start --", "concur list --output ", "concur plan set --",
                 "concur start --on-limit ", "concurrencyd --", "concurrencyd --durability "]
        shown = [f"$ {line}<TAB>\n{' '.join(complete_in_bash(*line.split(' ')))}\n" for line in lines]
        self.assert_golden("completions.txt", "".join(shown))


if __name__ == "__main__":
    unittest.main()
