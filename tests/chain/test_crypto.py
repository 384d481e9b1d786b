"""One verifier: what it accepts, and that it never differs from what is written here."""

import json
from pathlib import Path

import cryptography_vectors
import pytest

from lc_node.chain import crypto
from lc_node.chain.crypto import digest, verify
from lc_node.chain.types import PublicKey, Signature
from tests.chain.actors import ANNA, BERT

VECTORS = Path(__file__).parents[1] / "vectors"
PRIME = 2**255 - 19
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME


def answer(public_key: str, message: str, signature: str) -> bool:
    key, said, sig = (bytes.fromhex(text) for text in (public_key, message, signature))
    return verify(PublicKey(key), said, Signature(sig))


def wycheproof() -> list[tuple[str, str, str, bool]]:
    document = json.loads((VECTORS / "wycheproof_ed25519_test.json").read_text())
    return [
        (group["publicKey"]["pk"], test["msg"], test["sig"], test["result"] == "valid")
        for group in document["testGroups"]
        for test in group["tests"]
    ]


def rfc8032() -> list[list[str]]:
    with cryptography_vectors.open_vector_file("asymmetric/Ed25519/sign.input", "r") as lines:
        return [line.split(":") for line in lines]


def doubled(x: int, y: int) -> tuple[int, int]:
    product = CURVE_D * x * x * y * y
    return (
        2 * x * y * pow(1 + product, -1, PRIME) % PRIME,
        (y * y + x * x) * pow(1 - product, -1, PRIME) % PRIME,
    )


def x_of(y: int) -> int:
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    root = pow(square, (PRIME + 3) // 8, PRIME)
    return (
        root if root * root % PRIME == square else root * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    )


def test_wycheproof_is_answered_as_its_authors_say() -> None:
    cases = wycheproof()

    assert len(cases) == 151
    assert [answer(*case[:3]) for case in cases] == [case[3] for case in cases]


def test_every_signature_of_rfc_8032s_authors_verifies() -> None:
    cases = rfc8032()

    assert len(cases) == 1024
    assert all(answer(key, said, sig[:128]) for _, key, said, sig, *_ in cases)


def test_a_changed_message_does_not_verify() -> None:
    assert not any(answer(key, said + "00", sig[:128]) for _, key, said, sig, *_ in rfc8032()[:64])


# Chalkias et al., table 5: what each of the twelve tests.
SPECCHECK = (
    (0, False, "small-order A and R, S = 0"),
    (1, False, "small-order A"),
    (2, False, "small-order R"),
    (3, True, "mixed-order A and R, cofactorless equation holds"),
    (4, False, "mixed-order A and R, only the cofactored equation holds"),
    (5, False, "mixed-order A, only the cofactored equation holds"),
    (6, False, "S above L"),
    (7, False, "S far above L"),
    (8, False, "non-canonical R, reduced in the hash"),
    (9, False, "non-canonical R, not reduced in the hash"),
    (10, False, "non-canonical A, reduced in the hash"),
    (11, False, "non-canonical A, not reduced in the hash"),
)


@pytest.mark.parametrize(("number", "expected", "_what"), SPECCHECK)
def test_speccheck_has_one_answer_on_every_node(number: int, expected: bool, _what: str) -> None:  # noqa: FBT001 - a column of the table
    case = json.loads((VECTORS / "ed25519_speccheck_cases.json").read_text())[number]

    assert answer(case["pub_key"], case["message"], case["signature"]) is expected


def test_the_refused_points_are_those_whose_order_divides_eight() -> None:
    for y in crypto._SMALL_ORDER_Y:
        point = (x_of(y), y)
        for _ in range(3):
            point = doubled(*point)
        assert point == (0, 1)


@pytest.mark.parametrize(
    ("key_bytes", "signature_bytes"), [(31, 64), (33, 64), (32, 63), (32, 65)]
)
def test_a_wrong_length_does_not_verify(key_bytes: int, signature_bytes: int) -> None:
    key, sig = PublicKey(b"\x09" * key_bytes), Signature(b"\x07" * signature_bytes)

    assert not verify(key, b"", sig)


def test_a_signature_is_bound_to_its_key() -> None:
    assert verify(ANNA.public_key, b"said", ANNA.sign(b"said"))
    assert not verify(BERT.public_key, b"said", ANNA.sign(b"said"))


def test_a_digest_tells_its_parts_apart() -> None:
    assert digest("tag", b"ab", b"c") != digest("tag", b"a", b"bc")
    assert digest("tag", b"a") != digest("other", b"a")
