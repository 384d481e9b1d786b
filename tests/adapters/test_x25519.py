"""Keys of the transport: the two libraries that compute them agree with Wycheproof and with each other."""

import json
from pathlib import Path
from typing import Any

import zmq
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from zmq.utils import z85

VECTORS = Path(__file__).parents[1] / "vectors" / "wycheproof_x25519_test.json"


def cases() -> list[dict[str, Any]]:
    groups = json.loads(VECTORS.read_text())["testGroups"]
    return [test for group in groups for test in group["tests"]]


def answer(case: dict[str, Any]) -> str | None:
    """Return the shared secret, None if it is refused."""
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(case["private"]))
    try:
        public = X25519PublicKey.from_public_bytes(bytes.fromhex(case["public"]))
        return private.exchange(public).hex()
    except ValueError:
        return None


def test_wycheproofs_valid_secrets_are_shared_as_its_authors_say() -> None:
    valid = [case for case in cases() if case["result"] == "valid"]

    assert len(valid) > 200
    assert [answer(case) for case in valid] == [case["shared"] for case in valid]


def test_what_wycheproof_calls_acceptable_is_answered_rightly_or_refused() -> None:
    other = [case for case in cases() if case["result"] != "valid"]

    assert {case["result"] for case in other} == {"acceptable"}
    assert all(answer(case) in {None, case["shared"]} for case in other)


def test_a_secret_that_says_nothing_of_its_holder_is_refused() -> None:
    zeros = [case for case in cases() if not any(bytes.fromhex(case["shared"]))]

    assert zeros
    assert all(answer(case) is None for case in zeros)


def test_the_transport_has_the_public_keys_that_the_key_store_names() -> None:
    secrets = {bytes.fromhex(case["private"]) for case in cases()}

    for secret in secrets:
        ours = X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        assert z85.decode(zmq.curve_public(z85.encode(secret))) == ours
