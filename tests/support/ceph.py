"""Ceph's object gateway on this machine: a store with the S3 interface that authorities run, in processes of its own.

One monitor, one storage daemon that keeps objects in memory, and the gateway; Debian's packages ceph-mon, ceph-osd and
radosgw. The gateway's own small store without a cluster (dbstore) reads wrong ranges, so it is none.
"""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import obstore
from obstore.store import S3Store

from tests.support.federation import free_port
from tests.support.node_processes import end
from tests.support.programs import Program

MONITOR = Program("ceph-mon")
STORAGE = Program("ceph-osd")
GATEWAY = Program("radosgw")
_WITHIN_S = 120.0

_CONFIG = """[global]
fsid = {fsid}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc
mon_host = v2:127.0.0.1:{monitor_port}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
run_dir = {folder}
admin_socket =
log_file = {folder}/$name.log
mon_cluster_log_file = {folder}/cluster.log
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
[mon.a]
mon_data = {folder}/mon
mon_initial_members = a
mon_data_avail_crit = 1
paxos_propose_interval = 0.02
[osd.0]
osd_data = {folder}/osd
osd_objectstore = memstore
memstore_device_bytes = 1073741824
osd_class_dir = {classes}
osd_crush_initial_weight = 1
[client.rgw]
rgw_data = {folder}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_thread_pool_size = 8
rgw_run_sync_thread = false
"""


@dataclass(frozen=True)
class Credentials:
    """Of a user of the store."""

    access_key_id: str
    secret_access_key: str

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}


OWNER = Credentials("GATEWAYFILES", "a-secret-of-tests")
WRONG_SECRET = Credentials(OWNER.access_key_id, "another-secret")
UNKNOWN_USER = Credentials("NOBODY", "a-secret-of-tests")


@dataclass
class CephProcesses:
    """The three processes; `start` and `stop` are for the gateway alone: what is stored outlives it."""

    folder: Path
    port: int = field(default_factory=free_port)
    _daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _gateway: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _config(self) -> str:
        return str(self.folder / "ceph.conf")

    def start_cluster(self) -> None:
        """Starts the monitor and the storage daemon, empty."""
        monitor_port, fsid, storage_id = free_port(), str(uuid.uuid4()), str(uuid.uuid4())
        classes = next(iter(sorted(Path("/usr/lib").glob("*/rados-classes"))), Path("/usr/lib/rados-classes"))
        config = _CONFIG.format(
            folder=self.folder, port=self.port, monitor_port=monitor_port, fsid=fsid, classes=classes
        )
        Path(self._config).write_text(config)
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        map_path = str(self.folder / "monmap")
        self._run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{monitor_port}]", "--fsid", fsid, map_path)
        self._run("ceph-mon", "-c", self._config, "-i", "a", "--mkfs", "--monmap", map_path)
        self._daemons.append(self._spawn("ceph-mon", "-c", self._config, "-i", "a", "-f"))
        self._run("ceph", "-c", self._config, "--connect-timeout", str(int(_WITHIN_S)), "osd", "new", storage_id, "0")
        self._run("ceph-osd", "-c", self._config, "-i", "0", "--mkfs", "--osd-uuid", storage_id)
        self._daemons.append(self._spawn("ceph-osd", "-c", self._config, "-i", "0", "-f"))
        keyring = str(self.folder / "rgw" / "keyring")
        self._run("ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "client.rgw")

    def start(self) -> None:
        """Starts the gateway and waits until it answers."""
        assert self._gateway is None
        crc = ("--ms_mon_client_mode", "crc")  # its own default needs keys of the cluster
        self._gateway = self._spawn("radosgw", "-c", self._config, "-n", "client.rgw", *crc, "-f")
        deadline = time.monotonic() + _WITHIN_S
        while not self._answers():
            assert self._gateway.poll() is None, (self.folder / "radosgw.txt").read_text()
            assert time.monotonic() < deadline, "the object gateway doesn't answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends the gateway."""
        if self._gateway is not None:
            process, self._gateway = self._gateway, None
            end(process, 9, 20.0)

    def stop_all(self) -> None:
        """Ends everything."""
        self.stop()
        for process in reversed(self._daemons):
            end(process, 9, 20.0)

    def add_user(self, credentials: Credentials) -> None:
        """Makes a user of the store."""
        keys = ("--access-key", credentials.access_key_id, "--secret", credentials.secret_access_key)
        name = ("--uid", "owner", "--display-name", "owner")
        self._run("radosgw-admin", "-c", self._config, "-n", "client.rgw", "user", "create", *name, *keys)

    def make_bucket(self, name: str) -> None:
        """Makes a bucket of the owner, as operators do with the store's tools."""
        store = S3Store(
            name,
            endpoint=self.endpoint,
            region="us-east-1",
            virtual_hosted_style_request=False,
            access_key_id=OWNER.access_key_id,
            secret_access_key=OWNER.secret_access_key,
            client_options={"allow_http": True},
        )
        url = obstore.sign(store, "PUT", "", timedelta(minutes=5))
        assert self._status("PUT", url.removeprefix(self.endpoint)) == 200

    def _answers(self) -> bool:
        try:
            return self._status("GET", "/") < 500
        except OSError:
            return False

    def _status(self, method: str, target: str) -> int:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=_WITHIN_S)) as connection:
            connection.request(method, target)
            return connection.getresponse().status

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{program}.txt").open("ab") as log:
            return subprocess.Popen([program, *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_WITHIN_S, check=False)
        assert done.returncode == 0, done.stderr or done.stdout


@contextmanager
def ceph_processes(folder: Path) -> Iterator[CephProcesses]:
    """Ceph with one user and no bucket; skips where its programs aren't installed."""
    for program in (MONITOR, STORAGE, GATEWAY):
        program.require()
    folder.mkdir()
    ceph = CephProcesses(folder)
    try:
        ceph.start_cluster()
        ceph.start()
        ceph.add_user(OWNER)
        yield ceph
    finally:
        ceph.stop_all()
