"""This machine's network addresses, in the order in which others are likely to reach it by them."""

from typing import Final

import ifaddr

_BRIDGES: Final = ("docker", "br-", "virbr", "lxcbr", "cni")
"""Interfaces between this machine and what runs on it begin so; nobody else comes that way."""


def own_hosts() -> tuple[str, ...]:
    """Return the addresses of all interfaces, those without a zone; bridges to guests last."""
    adapters = sorted(ifaddr.get_adapters(), key=lambda one: one.name.startswith(_BRIDGES))
    found = [ip.ip for adapter in adapters for ip in adapter.ips]
    # ifaddr gives IPv6 as (address, flow, scope); one with a scope is good on its own link only.
    return tuple(
        one if isinstance(one, str) else one[0]
        for one in found
        if isinstance(one, str) or one[2] == 0
    )
