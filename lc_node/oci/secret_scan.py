"""Finds what looks like a key or a password before it is sent to strangers.

A short list of shapes that are hardly ever anything else, after the published key formats of the services
and the names people give to secrets. It is a seat belt, no proof: a secret in another shape passes.
"""

import re
from collections.abc import Iterator
from typing import Final

NAMES: Final = re.compile(
    r"(?:^|_)(?:passwo?r?d|passwd|passphrase|secret|api_?key|access_?key|private_?key|credentials?)s?(?:_|$)",
    re.IGNORECASE,
)
"""Names of variables and keys of dicts whose text is refused, whatever it is."""

TOKEN_NAMES: Final = re.compile(r"(?:^|_)token(?:_|$)", re.IGNORECASE)
"""Names whose text is refused where it looks drawn at random: in language models a token is a word."""

RANDOM: Final = re.compile(r"(?=\D*\d)[A-Za-z0-9_.+/=-]{16,}")

VALUES: Final = (
    ("private key", re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY")),
    ("AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})")),
    ("GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20}")),
    ("Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}")),
    ("Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}")),
    ("PyPI token", re.compile(r"\bpypi-[A-Za-z0-9_-]{50,}")),
    ("npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36}")),
    ("Stripe key", re.compile(r"\b[rs]k_live_[0-9a-zA-Z]{20,}")),
    ("key of a model service", re.compile(r"\bsk-[A-Za-z0-9_-]{20,}")),
    ("JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.")),
    ("password in an address", re.compile(r"\b[a-z][a-z0-9+]*://[^\s:/@]+:[^\s:/@]+@")),
)

_ASSIGNMENT: Final = re.compile(
    r"""^\s*(?:export\s+)?["']?([A-Za-z_][A-Za-z0-9_]*)["']?\s*(?::\s*str\s*)?[=:]\s*["']([^"'\n]+)["']""",
    re.MULTILINE,
)
_SHORT: Final = 6
"""Shorter texts are settings such as ``""``, ``"none"`` or ``"<pad>"``."""
_DEPTH_MAX: Final = 4
_ITEMS_MAX: Final = 1000


def scan_value(name: str, value: object, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield ``(where, rule)`` for a captured variable and what dicts and lists in it hold."""
    if isinstance(value, bytes) and len(value) < _ITEMS_MAX:
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        yield from _scan_named(name, value)
    elif depth < _DEPTH_MAX and isinstance(value, dict):
        for key, inner in list(value.items())[:_ITEMS_MAX]:
            for where, rule in scan_value(str(key), inner, depth + 1):
                yield f"{name}[{where!r}]" if not depth else where, rule
    elif depth < _DEPTH_MAX and isinstance(value, list | tuple | set | frozenset):
        for inner in list(value)[:_ITEMS_MAX]:
            yield from scan_value(name, inner, depth + 1)


def scan_text(where: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield ``(where, rule)`` for a source or another text file."""
    for rule, pattern in VALUES:
        if pattern.search(text):
            yield where, rule
    for name, value in _ASSIGNMENT.findall(text):
        if _is_telling(name, value):
            yield where, f"a text is assigned to {name}"


def _scan_named(name: str, value: str) -> Iterator[tuple[str, str]]:
    matched = [rule for rule, pattern in VALUES if pattern.search(value)]
    if not matched and _is_telling(name, value):
        matched = ["its name"]
    yield from ((name, rule) for rule in matched)


def _is_telling(name: str, value: str) -> bool:
    if TOKEN_NAMES.search(name) and RANDOM.fullmatch(value):
        return True
    return bool(NAMES.search(name)) and len(value) >= _SHORT
