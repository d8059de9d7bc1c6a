"""A house after a week in which all of its sessions are replaced each day, in random order: what the database and its
write-ahead log grow to."""

import sqlite3
import threading

from parts.million import USERS_A_SESSION
from servers import load
from tables import lay_out, number

DAYS = 7
LOOK_S = 0.2
SESSIONS_A_SECOND = 1000  # at least, or it is given up
CONNECTIONS, PIPELINE = 64, 16


class Diary:
    """Looks at a server all the time and writes a page for each day: the largest that the files became on it."""

    def __init__(self, server, sessions):
        self.server = server
        self.sessions = sessions
        self.before = server.status()["rates"]["starts"]["total"]
        self.days = []
        self.largest = [0, 0]
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(LOOK_S):
            self.look()

    def look(self):
        status = self.server.status()
        files = status["database"]
        self.largest = [max(self.largest[0], files["bytes"]), max(self.largest[1], files["walBytes"])]
        started = status["rates"]["starts"]["total"] - self.before
        if started >= (len(self.days) + 1) * self.sessions:
            self.days.append({"day": len(self.days) + 1, "sessions": status["sessions"],
                              "database_bytes": self.largest[0], "wal_bytes": self.largest[1],
                              "rss_bytes": self.server.rss_bytes()})
            self.largest = [0, 0]

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def pages(database):
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)
    try:
        return {"rows": db.execute("SELECT count(*) FROM sessions").fetchone()[0],
                "free_pages": db.execute("PRAGMA freelist_count").fetchone()[0],
                "pages": db.execute("PRAGMA page_count").fetchone()[0]}
    finally:
        db.close()


def measure_one(bench, sessions):
    users = round(sessions * USERS_A_SESSION)
    with bench.running("concurrencyd", house=(users, sessions)) as server:
        files = server.status()["database"]
        result = {"sessions": sessions, "database_bytes_before": files["bytes"], "rss_bytes_before": server.rss_bytes()}
        # The last day ends a little late, so that its page is written.
        requests = round(2 * sessions * (DAYS + 0.02))
        with Diary(server, sessions) as diary:
            report = load(server, "churn", ["--users", users, "--sessions", sessions, "--prepare", "no", "--requests",
                                            requests, "--connections", CONNECTIONS, "--pipeline", PIPELINE],
                          timeout=requests / SESSIONS_A_SECOND)
            diary.look()
        result |= {"per_second": report["per_second"], "days": diary.days, **pages(server.directory / "sessions.db")}
        server.stop()
        server.start()
        result |= {"start_seconds": server.start_seconds, "rss_bytes_restarted": server.rss_bytes()}
    return result


def measure(bench):
    return bench.try_to("churn", lambda: measure_one(bench, bench.settings.churn))


def show(result):
    if not result:
        return ["churn: no result"]
    lines = [[f"a week, {result['sessions']:,} sessions replaced a day", "database", "log, at most", "memory"],
             ["before", number(result["database_bytes_before"] / 1e6, 1, " MB"), "-",
              number(result["rss_bytes_before"] / 1e6, 1, " MB")]]
    for day in result["days"]:
        lines.append([f"day {day['day']}", number(day["database_bytes"] / 1e6, 1, " MB"),
                      number(day["wal_bytes"] / 1e6, 1, " MB"), number(day["rss_bytes"] / 1e6, 1, " MB")])
    free = 100 * result["free_pages"] / max(result["pages"], 1)
    return lay_out(lines) + [
        f"{result['per_second']:,.0f} starts and ends a second; at the end {result['rows']:,} rows, {free:.0f} % of the "
        f"pages free; started again in {result['start_seconds']:.1f} s with "
        f"{result['rss_bytes_restarted'] / 1e6:,.1f} MB"]
