"""What a light client begins with: genesis, a checkpoint, or what was kept."""

import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.api.light import connect
from lc_node.api.light_beginning import Keep
from lc_node.api.light_errors import (
    BadServer,
    NoBeginning,
    NoServer,
    NotProved,
)
from lc_node.api.light_places import Server
from lc_node.chain.codec import encode
from lc_node.chain.crypto import sha256
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.types import ChainId
from lc_node.consensus.checkpoint import checkpoint_of, genesis_checkpoint
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.join_line import Bootstrap, JoinLine, write_join_line
from lc_node.wire.session import TransportKey
from tests.api.light_server import Lie, serving
from tests.api.test_light import told
from tests.chain.actors import ANNA, genesis
from tests.consensus.proven_chain import here, world


def named(server: str = f"tcp://{'ab' * 32}@localhost:4040") -> list[str]:
    return [server]


def test_a_genesis_file_is_a_beginning(tmp_path: Path) -> None:
    path = tmp_path / "genesis.bin"
    path.write_bytes(encode(world().document))
    client = connect(named(), genesis=path, folder=tmp_path / "kept")

    assert client.checkpoint() == genesis_checkpoint(world().document)


def test_a_checkpoint_of_somebody_is_a_beginning(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_bytes(encode(checkpoint_of(here())))
    client = connect(named(), checkpoint=path, folder=tmp_path / "kept")

    assert client.checkpoint() == checkpoint_of(here())


def test_what_was_kept_goes_before_an_older_beginning(tmp_path: Path) -> None:
    path = tmp_path / "genesis.bin"
    path.write_bytes(encode(world().document))
    Keep(tmp_path / "kept").put(checkpoint_of(here()))
    client = connect(named(), genesis=path, folder=tmp_path / "kept")

    assert client.checkpoint() == checkpoint_of(here())


def test_the_only_chain_that_was_kept_is_meant_where_none_is_named(tmp_path: Path) -> None:
    Keep(tmp_path / "kept").put(checkpoint_of(here()))

    assert connect(named(), folder=tmp_path / "kept").checkpoint() == checkpoint_of(here())


def test_without_a_beginning_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoBeginning, match="--genesis FILE"):
        connect(named(), folder=tmp_path / "kept")


def test_of_several_chains_one_must_be_named(tmp_path: Path) -> None:
    for name in (b"a", b"b"):
        chain = ChainId(sha256(name))
        Keep(tmp_path / "kept").put(replace(checkpoint_of(here()), chain_id=chain))

    with pytest.raises(NoBeginning, match="2 chains are known"):
        connect(named(), folder=tmp_path / "kept")


@pytest.mark.parametrize("content", [b"", b"\0" * 70_000, None])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "theirs"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(NoBeginning, match=str(path)):
        connect(named(), checkpoint=path, folder=tmp_path / "kept")


def test_a_genesis_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "genesis.bin"
    path.write_bytes(encode(replace(world().document, members=())))

    with pytest.raises(NoBeginning, match="genesis document is not valid"):
        connect(named(), genesis=path, folder=tmp_path / "kept")


def test_a_checkpoint_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_bytes(encode(replace(checkpoint_of(here()), epoch_heights=7)))

    with pytest.raises(NotProved, match="not where epoch 2 begins"):
        connect(named(), checkpoint=path, folder=tmp_path / "kept")


def test_the_key_of_a_node_that_was_named_before_need_not_be_typed_again(tmp_path: Path) -> None:
    Keep(tmp_path / "kept").put(checkpoint_of(here()))
    connect([boots(GONE)], folder=tmp_path / "kept")

    connect(["tcp://127.0.0.1:1"], folder=tmp_path / "kept")


def test_remembered_keys_that_were_damaged_are_typed_again(tmp_path: Path) -> None:
    Keep(tmp_path / "kept").put(checkpoint_of(here()))
    connect([boots(GONE)], folder=tmp_path / "kept")
    (tmp_path / "kept" / "servers.json").write_text("no JSON")

    with pytest.raises(BadServer, match="the key is missing"):
        connect(["tcp://127.0.0.1:1"], folder=tmp_path / "kept")


def test_only_so_many_keys_are_remembered(tmp_path: Path) -> None:
    keep = Keep(tmp_path / "kept")
    for port in range(1, 100):
        keep.remember([at_port(port)])

    assert list(keep.keys()) == [f"tcp://127.0.0.1:{port}" for port in range(36, 100)]


def at_port(port: int) -> Server:
    """Return a server at a port."""
    return dataclasses.replace(
        GONE, endpoints=(Endpoint(host=Host("127.0.0.1"), port=Port(port)),)
    )


def test_a_server_without_its_key_is_refused_with_the_form(tmp_path: Path) -> None:
    Keep(tmp_path / "kept").put(checkpoint_of(here()))

    with pytest.raises(BadServer, match="the key is missing"):
        connect(named("tcp://localhost:4040"), folder=tmp_path / "kept")


GONE = Server(
    endpoints=(Endpoint(host=Host("127.0.0.1"), port=Port(1)),),
    transport_key=TransportKey(bytes(32)),
    node_key=ANNA.public_key,
)


def boots(*servers: Server, document: Genesis | None = None) -> str:
    """Return a join line that names servers of a chain."""
    bootstraps = []
    for server in servers:
        assert server.node_key is not None
        bootstraps.append(
            Bootstrap(
                key=server.node_key,
                transport_key=server.transport_key,
                endpoints=server.endpoints,
            )
        )
    chain = chain_id(document or world().document)
    return write_join_line(
        JoinLine(chain_id=chain, graph="lab", bootstraps=tuple(bootstraps), passes=())
    )


async def test_a_join_line_is_a_beginning_its_nodes_have_the_genesis_document(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, world()) as server:
        client = await told(lambda: connect([boots(server)], folder=tmp_path / "kept"))

    assert client.checkpoint() == genesis_checkpoint(world().document)


def test_with_a_join_line_what_was_kept_is_enough(tmp_path: Path) -> None:
    Keep(tmp_path / "kept").put(checkpoint_of(here()))

    client = connect([boots(GONE)], folder=tmp_path / "kept")
    assert client.checkpoint() == checkpoint_of(here())


@pytest.mark.parametrize("lie", [lambda *_: None, lambda _topic, said: said[:-1] + b"!"])
async def test_a_false_genesis_document_is_refused(tmp_path: Path, lie: Lie) -> None:
    async with serving(tmp_path, world(), lie) as server:
        with pytest.raises(NoServer, match="genesis document"):
            await told(lambda: connect([boots(server)], folder=tmp_path / "kept"))


def test_a_join_line_of_another_chain_than_was_named_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "genesis.bin"
    path.write_bytes(encode(genesis()))

    with pytest.raises(NoBeginning, match="of another chain"):
        connect([boots(GONE)], genesis=path, folder=tmp_path / "kept")
