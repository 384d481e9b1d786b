"""Addresses: BIP-350's own vectors, and what a slip of the hand does."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.chain.addresses import (
    BadAddress,
    bech32m_decode,
    bech32m_encode,
    decode_address,
    encode_address,
)
from lc_node.chain.types import PublicKey

BIP350 = json.loads((Path(__file__).parents[1] / "vectors" / "bip350.json").read_text())
KEYS = st.binary(min_size=32, max_size=32).map(PublicKey)


@pytest.mark.parametrize("text", BIP350["valid"])
def test_a_valid_text_of_bip_350_is_read_and_written_alike(text: str) -> None:
    assert bech32m_encode(*bech32m_decode(text)) == text.lower()


@pytest.mark.parametrize("text", BIP350["invalid"], ids=repr)
def test_an_invalid_text_of_bip_350_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        bech32m_decode(text)


def test_an_address_does_not_mix_upper_and_lower_case() -> None:
    with pytest.raises(BadAddress, match="mixes"):
        decode_address("L" + encode_address(PublicKey(bytes(32)))[1:])


@given(KEYS)
@settings(max_examples=50)
def test_an_address_leads_back_to_its_key(key: PublicKey) -> None:
    address = encode_address(key)

    assert address.startswith("lc1")
    assert len(address) == 61
    assert decode_address(address) == key
    assert decode_address(address.upper()) == key


@given(KEYS, st.integers(3, 60), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
@settings(max_examples=50)
def test_a_mistyped_character_is_noticed(key: PublicKey, place: int, character: str) -> None:
    address = encode_address(key)
    mistyped = address[:place] + character + address[place + 1 :]

    if mistyped != address:
        with pytest.raises(BadAddress):
            decode_address(mistyped)


def test_an_address_of_another_network_is_refused_by_name() -> None:
    other = bech32m_encode("bc", bech32m_decode(encode_address(PublicKey(bytes(32))))[1])

    with pytest.raises(BadAddress, match="begins with 'bc'"):
        decode_address(other)


@pytest.mark.parametrize("symbols", [bytes(51), bytes(53), bytes(51) + b"\x01"])
def test_an_address_holds_exactly_one_key(symbols: bytes) -> None:
    with pytest.raises(BadAddress, match="32 bytes"):
        decode_address(bech32m_encode("lc", symbols))
