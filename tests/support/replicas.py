"""Replicas of one authority's node: several processes on one PostgreSQL database, each with ports and a folder of its
own. Directory, keys and certificates are the same files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from gateway.node.marks import prepare_marks
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.federation import Federation, NodeProcess, free_port


@dataclass
class ReplicaProcess(NodeProcess):
    """One of several processes of a node."""

    own_folder: Path = field(default_factory=Path)

    @property
    def data(self) -> Path:
        return self.own_folder / "data"

    @property
    def log_path(self) -> Path:
        return self.own_folder / "log.txt"


def add_replicas(federation: Federation, name: str, url: str, count: int) -> list[ReplicaProcess]:
    """Replicas `cn-1`, `cn-2`, … of a node in place of its process; nothing is started. The first has the node's ports,
    so partners reach that one.
    """
    node = federation.nodes[name]
    made = [_replica(federation, node, number, url) for number in range(1, count + 1)]
    federation.nodes[name] = made[0]
    return made


def _replica(federation: Federation, node: NodeProcess, number: int, url: str) -> ReplicaProcess:
    folder = node.folder.path / f"replica-{number}"
    folder.mkdir()
    ports = (node.peer_port, node.local_port) if number == 1 else (free_port(), free_port())
    made = ReplicaProcess(node.name, node.folder, folder / "gateway.toml", *ports, own_folder=folder)
    prepare_marks(made.data, federation=FEDERATION, node=node.name, made_at=federation.now)
    settings = node.config.read_text(encoding="utf-8")
    for old, new in (
        (json.dumps(str(node.data)), json.dumps(str(made.data))),
        (f':{node.peer_port}"', f':{made.peer_port}"'),
        (f':{node.local_port}"', f':{made.local_port}"'),
    ):
        settings = settings.replace(old, new)
    made.config.touch(mode=0o600)
    own = f'database_url = {json.dumps(url)}\nreplica = "{node.name}-{number}"\n'
    made.config.write_text(own + settings, encoding="utf-8")
    federation.nodes[f"{node.name}-{number}"] = made
    return made
