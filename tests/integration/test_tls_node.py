"""A real node that serves TLS, directed by the real command."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from pathlib import Path

from admin.bind import parts_of
from tests.support.http2 import is_closed
from tests.support.process import ENVIRONMENT, START_TIMEOUT_S, TROUPE, troupe


def test_a_node_with_tls_is_found_and_directed_by_its_directory(tmp_path: Path) -> None:
    data_dir = tmp_path / "node"
    command = (*TROUPE, "run", "--data-dir", str(data_dir), "--network", "dev", "--tls")
    with subprocess.Popen(
        (*command, "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as node:
        try:
            assert node.stdout is not None
            banner = ""
            while "Ctrl-C" not in banner:
                line = node.stdout.readline()
                assert line, node.communicate()
                banner += line
            assert re.search(r"admin address +0\.0\.0\.0:\d+ \(TLS\)", banner)
            status = troupe("status", "--data-dir", str(data_dir), "-o", "json")
            assert json.loads(status.stdout)["network"]["name"] == "dev", status.stderr
            address = (data_dir / "admin.address").read_text().strip()
            plain = troupe(
                "status", "--admin", address, "--token-file", str(data_dir / "admin.token")
            )
            assert plain.returncode == 1
            assert "--tls-ca" in plain.stderr
            for _ in range(5):
                with socket.create_connection(parts_of(address)) as noise:
                    noise.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    assert is_closed(noise)
            assert troupe("stop", "--data-dir", str(data_dir)).returncode == 0
            out, err = node.communicate(timeout=START_TIMEOUT_S)
            assert node.returncode == 0, (out, err)
            secrets = [
                (data_dir / name).read_text().strip() for name in ("admin.token", "readonly.token")
            ]
            assert not any(secret in banner + out + err for secret in secrets)
            assert "PRIVATE KEY" not in err
            assert "andshake" not in err, "whoever reaches the port could fill the log"
        finally:
            if node.poll() is None:
                node.send_signal(signal.SIGKILL)
    assert not (data_dir / "admin.pem").exists()


def test_tls_that_cannot_be_served_is_said_in_one_sentence(tmp_path: Path) -> None:
    for name in ("own.pem", "own.key"):
        (tmp_path / name).write_text("nonsense")
    refused = troupe(
        *("run", "--network", "dev", "--data-dir", str(tmp_path / "node")),
        *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"),
        *("--tls-cert", str(tmp_path / "own.pem"), "--tls-key", str(tmp_path / "own.key")),
    )
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("Error: TLS cannot be served: ")
    assert "own.pem" in refused.stderr
    assert "Traceback" not in refused.stderr
