"""config.toml: what it may say, what it says by default, and what it refuses."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from lc_node.chain.addresses import encode_address
from lc_node.chain.types import PublicKey
from lc_node.runtime.config import BadConfig, Config, WorkConfig, read_config
from lc_node.runtime.config_file import DEFAULT_CONFIG_TEXT
from lc_node.runtime.policy_file import (
    BadPolicy,
    BadPolicyFile,
    job_policy,
    policy_of,
    read_policy,
    validate_policy,
    write_policy,
)
from lc_node.worker.hours import Hours, Minute

KEY = PublicKey(bytes(range(32)))
PEER = f"""
[[network.peers]]
address = "{encode_address(KEY)}"
transport_key = "{"ab" * 32}"
host = "192.0.2.7"
port = 4040
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_without_a_file_the_defaults_hold(path: Path) -> None:
    assert read_config(path) == Config()


def test_the_file_that_init_writes_changes_nothing(path: Path) -> None:
    path.write_text(DEFAULT_CONFIG_TEXT)

    assert read_config(path) == Config()


def test_the_file_that_init_writes_shows_every_default() -> None:
    shown = tomllib.loads(DEFAULT_CONFIG_TEXT.replace("#: ", ""))
    defaults = msgspec.json.decode(msgspec.json.encode(Config()))
    del defaults["network"]["peers"]

    assert shown == defaults


def test_what_is_set_holds(path: Path) -> None:
    path.write_text("[work]\nbounty_min_credits = 2.5\n")

    assert read_config(path).work.bounty_min == 2_500_000


def test_a_peer_is_read(path: Path) -> None:
    path.write_text(PEER)
    peer = read_config(path).network.peers[0].resolved()

    assert (peer.public_key, peer.host, peer.port) == (KEY, "192.0.2.7", 4040)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[work", "Expected"),
        ("[wrok]\nwork = true", r"did you mean `work`"),  # codespell:ignore
        ("[storage]\nblob_bytes_max = 5", r"did you mean `blobs_bytes_max`"),
        ("[network]\nport = 70000", r"`\$.network.port`"),
        ('[sandbox]\nengine = "none"', r"`\$.sandbox.engine`"),
        ('[sandbox]\nruntime = "runsc"', 'set `engine = "docker"` with it'),
        ('[sandbox]\nhost = "tcp://192.0.2.7"', r"`\$.sandbox.host`"),
        (PEER.replace("lc1", "lc2"), r"peer 192\.0\.2\.7:4040: not an address"),
        ('[work]\nallow = ["lc1x"]', "work: not an address"),
        ('[work]\nhours = ["at night"]', "write them as in 22:00-07:30"),
    ],
    ids=[
        "no TOML",
        "section",
        "key",
        "range",
        "choice",
        "runtime",
        "engine",
        "address",
        "submitter",
        "hours",
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(path: Path, text: str, why: str) -> None:
    path.write_text(text)

    with pytest.raises(BadConfig, match=why):
        read_config(path)


def test_zeros_offer_what_this_machine_has() -> None:
    offer = WorkConfig().offer

    assert offer.millicpus >= 1000
    assert offer.memory_bytes > 0


def test_a_policy_that_was_set_replaces_the_settings(path: Path) -> None:
    policy = policy_of(WorkConfig(jobs_at_once=3))
    write_policy(path, policy)

    assert read_policy(path, WorkConfig()) == policy


def test_without_a_kept_policy_the_settings_hold(path: Path) -> None:
    assert read_policy(path, WorkConfig(jobs_at_once=2)).jobs_at_once == 2


def test_a_damaged_policy_names_the_remedy(path: Path) -> None:
    path.write_text("{")

    with pytest.raises(BadPolicyFile, match="delete it"):
        read_policy(path, WorkConfig())


def test_the_worker_gets_the_same_terms() -> None:
    policy = job_policy(policy_of(WorkConfig(time_left_min_seconds=7, memory_bytes=5)))

    assert (policy.time_left_min, policy.offer.memory_bytes) == (7_000, 5)


def test_the_worker_gets_keys_and_minutes_for_addresses_and_hours() -> None:

    work = WorkConfig(
        deny=(encode_address(KEY),),
        hours=("22:00-07:30",),
        pause_on_battery=True,
        others_percent_max=30,
    )
    policy = job_policy(policy_of(work))

    assert not policy.allow
    assert policy.deny == {KEY}
    assert policy.hours == (Hours(begin=Minute(22 * 60), end=Minute(7 * 60 + 30)),)
    assert (policy.pauses_on_battery, policy.others_percent_max) == (True, 30)


@pytest.mark.parametrize(
    ("storage", "why"),
    [
        ("blocks_kept = 1999", "0 \\(all\\) or at least 2000"),
        ("archive = true\nblocks_kept = 5000", "an archive keeps every block"),
    ],
)
def test_storage_that_would_help_nobody_is_refused(path: Path, storage: str, why: str) -> None:
    path.write_text(f"[storage]\n{storage}\n")

    with pytest.raises(BadConfig, match=why):
        read_config(path)


def test_blocks_may_be_pruned(path: Path) -> None:
    path.write_text("[storage]\nblocks_kept = 2000\n")

    assert read_config(path).storage.blocks_kept == 2_000


def test_the_policy_of_untouched_settings_can_hold() -> None:
    validate_policy(policy_of(WorkConfig()), WorkConfig().machine)


@pytest.mark.parametrize(
    ("settings", "term"),
    [
        (WorkConfig(millicpus=1_000_000_000), "cpus"),
        (WorkConfig(memory_bytes=2**60), "memory"),
        (WorkConfig(gpus=65), "gpus"),
    ],
)
def test_no_more_is_offered_than_the_machine_has(settings: WorkConfig, term: str) -> None:
    with pytest.raises(BadPolicy, match=f"{term} is .*on this machine it may be"):
        validate_policy(policy_of(settings), settings.machine)


def test_a_number_that_nobody_can_mean_is_named() -> None:
    policy = msgspec.structs.replace(policy_of(WorkConfig()), jobs_at_once=-1)

    with pytest.raises(BadPolicy, match="jobs_at_once is -1"):
        validate_policy(policy, WorkConfig().machine)


@pytest.mark.parametrize("executor", ["local", "dask://10.0.0.1:8786", "dask://[::1]:8786"])
def test_an_executor_is_this_machine_or_a_cluster(path: Path, executor: str) -> None:
    path.write_text(f'[work]\nexecutor = "{executor}"\n')

    assert read_config(path).work.executor == executor


@pytest.mark.parametrize("executor", ["", "dask", "dask://host", "tcp://host:1", "dask://a/b:1"])
def test_what_is_no_executor_is_refused(path: Path, executor: str) -> None:
    path.write_text(f'[work]\nexecutor = "{executor}"\n')

    with pytest.raises(BadConfig, match="executor"):
        read_config(path)


def test_a_cluster_may_be_offered_whole_though_this_machine_is_smaller() -> None:
    settings = WorkConfig(executor="dask://host:8786", millicpus=900_000)

    validate_policy(policy_of(settings), settings.machine)

    assert settings.offer.millicpus == 900_000
    assert settings.offer.memory_bytes == settings.machine.memory_bytes
