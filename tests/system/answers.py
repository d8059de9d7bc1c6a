"""The answers that tests see, kept where CONCUR_TEST_ANSWERS is a folder: test_openapi holds them against the description of
the API. Of each kind, by method, path and status, a test keeps as many as MOST."""

import json
import os
import pathlib
import sys

FOLDER = os.environ.get("CONCUR_TEST_ANSWERS")
MOST = 200

_kept = {}
_file = None


def _kind(method, path, status):
    parts = path.split(b"?", 1)[0].split(b"/")
    return method, parts[1:3], len(parts), parts[-1] if len(parts) == 7 else b"", status


def keep(request, status, content_type, body):
    """`request` begins with the request's line; `content_type` may be called for it."""
    if not FOLDER:
        return
    line = request[:request.find(b"\r\n")].split(b" ")
    if len(line) != 3:
        return
    kind = str(_kind(line[0], line[1], status))
    count = _kept.get(kind, 0)
    if count == MOST:
        return
    _kept[kind] = count + 1
    global _file
    if _file is None:
        path = pathlib.Path(FOLDER)
        path.mkdir(parents=True, exist_ok=True)
        _file = open(path / f"{pathlib.Path(sys.argv[0]).stem}.ndjson", "w", encoding="utf-8")
    record = {"method": line[0].decode("latin-1"), "target": line[1].decode("latin-1"), "status": status,
              "type": content_type() or "", "body": body.decode("utf-8", "surrogateescape")}
    _file.write(json.dumps(record) + "\n")
    _file.flush()
