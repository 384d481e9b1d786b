"""The quantities of the protocol, each with a type of its own."""

from typing import Annotated, NewType

import msgspec

_U64_MAX = 2**63 - 1  # MessagePack and SQLite both carry it without loss
_Unsigned = Annotated[int, msgspec.Meta(ge=0, le=_U64_MAX)]
_Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
_Bytes64 = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]

Height = NewType("Height", _Unsigned)
"""Position of a block in the chain; genesis is 0."""

Epoch = NewType("Epoch", _Unsigned)
"""A span of heights with one validator set, from 0."""

View = NewType("View", _Unsigned)
"""An attempt to agree on a block within an epoch, from 1; 0 stands for the epoch's parent."""

Weight = NewType("Weight", _Unsigned)
"""A validator's voting weight: its bonded micro-credits."""

Nonce = NewType("Nonce", _Unsigned)
"""Orders an account's transactions: each must exceed the last; gaps are allowed."""

Millis = NewType("Millis", _Unsigned)
"""Milliseconds since the Unix epoch."""

MillisSpan = NewType("MillisSpan", _Unsigned)
"""A duration in milliseconds."""

Seconds = NewType("Seconds", _Unsigned)
"""A duration in whole seconds."""

ByteCount = NewType("ByteCount", _Unsigned)
"""A size in bytes."""

MicroCredits = NewType("MicroCredits", _Unsigned)
"""An amount of credits, in millionths of a credit."""

MilliTokens = NewType("MilliTokens", _Unsigned)
"""Permission to send: a transaction takes 1,000 from its sender's token bucket."""

NanoLoss = NewType("NanoLoss", Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)])
"""A loss in units of 1e-9; lower is better."""

PartsPerMillion = NewType("PartsPerMillion", _Unsigned)
"""A proportion in millionths."""

Digest = NewType("Digest", _Bytes32)
"""A SHA-256 digest."""

ChainId = NewType("ChainId", Digest)
"""The digest of the genesis document: names one chain among all."""

BlockId = NewType("BlockId", Digest)
"""The digest of a block's header."""

TransactionId = NewType("TransactionId", Digest)
"""The digest of what a transaction's sender signed."""

JobId = NewType("JobId", Digest)
"""The id of the transaction that posted the job."""

ModelRoot = NewType("ModelRoot", Digest)
"""The root over a model's chunks; with one chunk, the chunk's digest."""

Beacon = NewType("Beacon", Digest)
"""The chain's shared randomness after a block."""

Link = NewType("Link", Digest)
"""A link of a proposer's hash chain: revealed, it enters the beacon."""

Salt = NewType("Salt", _Bytes32)
"""Randomness that hides a committed value until it is opened."""

PublicKey = NewType("PublicKey", _Bytes32)
"""An Ed25519 public key (RFC 8032); it *is* a node's identity and account."""

Signature = NewType("Signature", _Bytes64)
"""An Ed25519 signature (RFC 8032)."""

ZERO_DIGEST = Digest(bytes(32))
"""Stands where a digest has nothing to name."""
