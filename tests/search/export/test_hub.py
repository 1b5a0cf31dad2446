"""Uploads to a hub: what is refused before anything is sent, and what a server on this machine receives."""

import base64
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.command_line import COMMAND

PUSH = """
import sys
from pathlib import Path
from rarecall.analysis.errors import RarecallError
from rarecall.search.export.hub import check_hub, push
try:
    check_hub("team/threats")
    print(push(Path("threats"), "team/threats", public=sys.argv[1] == "public"))
except RarecallError as error:
    sys.exit(str(error))
"""


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's interface as an upload of small files takes; all of them go into the commit."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, self.headers["Authorization"], body))
        address = f"http://127.0.0.1:{self.server.server_port}/team/threats"
        if self.path.endswith("/repos/create"):
            self.answer(self.server.status, {"url": address})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            files = [{"path": name, "uploadMode": "regular", "shouldIgnore": False, "oid": None} for name in names]
            self.answer(200, {"files": files})
        elif "/commit/" in self.path:
            self.answer(200, {"success": True, "commitOid": "0" * 40, "commitUrl": f"{address}/commit/{'0' * 40}"})
        else:
            self.answer(200, {"errors": [], "warnings": []})

    def do_GET(self):
        self.server.received.append((self.path, self.headers["Authorization"], b""))
        self.answer(404, {"error": "not found"})

    def answer(self, status, content):
        told = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.received, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def environment(home, **changes):
    """Nobody's credentials, and only the hub that is named."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    return {**kept, "HF_HOME": str(home), **changes}


def pushed(folder, hub, visibility="private"):
    (folder / "threats").mkdir()
    (folder / "threats" / "README.md").write_text("---\nlibrary_name: peft\n---\n# threats\n")
    (folder / "threats" / "metrics.json").write_text('{"accuracy": 1}\n')
    address = f"http://127.0.0.1:{hub.server_port}"
    return subprocess.run(
        [sys.executable, "-c", PUSH, visibility],
        cwd=folder,
        env=environment(folder, HF_ENDPOINT=address, HF_TOKEN="made-up", PYTHONPATH=os.pathsep.join(sys.path)),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_all_files_arrive_in_a_private_repository_unless_asked_otherwise(tmp_path, hub, visibility):
    done = pushed(tmp_path, hub, visibility)
    assert done.returncode == 0, done.stderr
    assert "team/threats" in done.stdout
    (created,) = [json.loads(body) for path, _, body in hub.received if path.endswith("/repos/create")]
    assert (created["organization"], created["name"]) == ("team", "threats")
    assert created["visibility"] == visibility
    (commit,) = [body for path, _, body in hub.received if "/api/models/team/threats/commit/main" in path]
    lines = [json.loads(line) for line in commit.splitlines()]
    sent = {one["value"]["path"]: base64.b64decode(one["value"]["content"]) for one in lines if one["key"] == "file"}
    assert sent == {path.name: path.read_bytes() for path in (tmp_path / "threats").iterdir() if path.is_file()}
    writing = [token for path, token, _ in hub.received if path.endswith("/create") or "/commit/" in path]
    assert writing == ["Bearer made-up"] * 2


def test_a_hub_that_refuses_leaves_the_folder_and_says_how_to_go_on(tmp_path, hub):
    hub.status = 403
    done = pushed(tmp_path, hub)
    assert done.returncode == 1
    assert done.stderr.startswith("team/threats: the upload failed: ")
    assert "`hf upload team/threats threats` tries again" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "threats" / "metrics.json").exists()


@pytest.mark.parametrize(
    ("arguments", "changes", "told"),
    [
        (
            ["--push-to-hub", "threats"],
            {},
            "needs credentials of the hub, got none (run `hf auth login`, or set HF_TOKEN",
        ),
        (["--push-to-hub", "a/b/c"], {"HF_TOKEN": "made-up"}, "must name a repository such as `threats` or"),
        (["--push-to-hub", "threats"], {"HF_TOKEN": "made-up", "HF_HUB_OFFLINE": "1"}, "needs the network"),
        (["--public"], {}, "add --push-to-hub REPO"),
    ],
    ids=["credentials", "name", "offline", "public"],
)
def test_what_cannot_be_uploaded_is_refused_before_the_run_is_read(tmp_path, arguments, changes, told):
    done = subprocess.run(
        [COMMAND, "export", "runs/nowhere", "-o", "threats", *arguments],
        cwd=tmp_path,
        env=environment(tmp_path, **changes),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
