"""Every decoder that reads the bytes of strangers, and what it promises, as one table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from lc_jupyter.errors import UserError
from lc_jupyter.runner.plain import NotPlain, decode
from lc_node.adapters.keystore import load_keystore
from lc_node.adapters.registry_credentials import BadCredentials
from lc_node.adapters.tar_entries import Refused
from lc_node.api import codec as api
from lc_node.api.errors import ApiError
from lc_node.api.light_errors import BadServer
from lc_node.chain.addresses import BadAddress
from lc_node.chain.codec import Decoder, encode
from lc_node.chain.errors import LearningChainError, MalformedBytes
from lc_node.chain.transactions import SignedTransaction
from lc_node.consensus.checkpoint import Checkpoint
from lc_node.oci import manifest as oci
from lc_node.oci.manifest import MalformedImage
from lc_node.oci.references import BadReference
from lc_node.ports.images import ImageRefused
from lc_node.runtime.config import BadConfig, WorkConfig, read_config
from lc_node.runtime.home import BadIdentityFile, read_identity
from lc_node.runtime.policy_file import BadPolicyFile, read_policy
from lc_node.wire.founding import STANDING_DECODER, Standing
from lc_node.wire.genesis_parts import TELL_DECODER as GENESIS_PART_DECODER
from lc_node.wire.genesis_parts import TellGenesis
from lc_node.wire.join_line import BadJoinLine
from lc_node.wire.kinds import Kind
from lc_node.wire.messages import decode_message, encode_message
from lc_node.wire.records import SignedRecord
from lc_node.worker.contract import parse_line
from lc_node.worker.lines import BadLine
from tests.fuzz import agreement, models, registries, samples
from tests.fuzz.conduct import (
    CALLS,
    greet,
    hear_multicast,
    open_data_frames,
    read_address,
    read_answer,
    read_book,
    read_checkpoint,
    read_last_line,
    read_line,
    read_npz,
    read_record,
    read_refusal,
    read_rules,
    read_server,
)
from tests.fuzz.decoders import found_decoders, kind_of
from tests.fuzz.files import mended, of_file, read_layer, read_tar, unpack_image
from tests.fuzz.promises import Check, canonical, named, stable
from tests.fuzz.values import value_of

SAMPLES: Final = 24
"""Values drawn of each type for a corpus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A decoder, what it promises, and bytes to begin with."""

    check: Check
    samples: Callable[[], Sequence[bytes]]
    """Bytes that the decoder accepts."""
    draw: Callable[[Random], bytes] | None = None
    """Makes a new value's bytes, where the values have a type: chance alone seldom hits one."""
    bytes_max: int = 4096
    """The longest input that is tried, unless a sample is longer; limits themselves have tests of their own."""


def _record(kind: Any, decoder: Decoder[Any]) -> Target:
    return _typed(kind, canonical(decoder.decode, encode, MalformedBytes), encode)


def _document(kind: Any, decode: Callable[[bytes], Any]) -> Target:
    return _typed(kind, stable(decode, oci.encode, MalformedImage), oci.encode)


def _typed(kind: Any, check: Check, write: Callable[[Any], bytes]) -> Target:
    """Return the target of a decoder whose values are of one type."""

    def draw(random: Random) -> bytes:
        return write(value_of(kind, random))

    seeds = range(SAMPLES)
    return Target(
        check=check,
        samples=lambda: [draw(Random(seed)) for seed in seeds],  # noqa: S311  # a corpus
        draw=draw,
    )


_OURS: Final[Mapping[str, Target]] = {
    # What is made of records: more of these are found by tests.fuzz.decoders.
    "rules": Target(
        check=named(read_rules, LearningChainError),
        samples=samples.transactions,
        draw=lambda random: encode(value_of(SignedTransaction, random)),
    ),
    # What peers send.
    "agreement": Target(
        check=named(agreement.converse, ()),
        samples=agreement.conversations,
        draw=agreement.draw,
        bytes_max=1 << 14,
    ),
    "frame": Target(
        check=canonical(decode_message, encode_message, MalformedBytes),
        samples=samples.frames,
        draw=lambda random: encode_message(samples.message(random.choice(list(Kind)), random)),
    ),
    "record": Target(
        check=named(read_record, MalformedBytes),
        samples=samples.records,
        draw=lambda random: encode(value_of(SignedRecord, random)),
    ),
    "checkpoint": Target(
        check=named(read_checkpoint, LearningChainError),
        samples=samples.checkpoints,
        draw=lambda random: encode(value_of(Checkpoint, random)),
    ),
    "address-book": Target(
        check=named(read_book, MalformedBytes), samples=samples.books, bytes_max=1 << 14
    ),
    "multicast": Target(check=named(hear_multicast, ()), samples=samples.multicasts),
    "session": Target(check=named(greet, ()), samples=samples.conversations),
    "data-frames": Target(
        check=named(open_data_frames, MalformedBytes), samples=samples.data_frames
    ),
    "genesis-part": _record(TellGenesis, GENESIS_PART_DECODER),
    "standing": _record(Standing, STANDING_DECODER),
    # What the owner's programs send, and what they are answered.
    "api-call": Target(
        check=stable(api.decode_call, api.encode_call, ApiError),
        samples=samples.calls,
        draw=lambda random: api.encode_call(value_of(random.choice(CALLS), random)),
    ),
    "api-answer": Target(check=named(read_answer, ApiError), samples=samples.answers),
    "api-refusal": _typed(api.Refusal, named(read_refusal, ApiError), encode),
    "api-event": _typed(
        api.Pulse, stable(api.decode_pulse, api.encode_pulse, ApiError), api.encode_pulse
    ),
    # What jobs and images hold.
    "contract-line": Target(check=named(parse_line, BadLine), samples=samples.lines),
    "last-line": Target(check=named(read_last_line, BadLine), samples=samples.outputs),
    "image-manifest": _document(oci.Manifest, oci.decode_manifest),
    "image-config": _document(oci.ImageConfig, oci.decode_config),
    "image-index": _document(oci.Index, oci.decode_index),
    "tar": Target(check=named(read_tar, Refused), samples=samples.archives, bytes_max=1 << 14),
    "tar-with-checksums": Target(
        check=named(mended(read_tar), Refused), samples=samples.archives, bytes_max=1 << 14
    ),
    "layer": Target(check=named(read_layer, Refused), samples=samples.layers),
    "image": Target(
        check=named(mended(unpack_image), Refused), samples=samples.archives, bytes_max=1 << 13
    ),
    "model-npz": Target(check=named(of_file(read_npz), UserError), samples=samples.npz_models),
    "model-contents": Target(
        check=named(of_file(models.inspect), ()), samples=models.files, bytes_max=1 << 13
    ),
    "plain-data": Target(check=named(decode, NotPlain), samples=models.predictions),
    "image-archive": Target(
        check=named(of_file(registries.read_saved_images), ImageRefused),
        samples=registries.saved_images,
        bytes_max=1 << 14,
    ),
    # What registries answer.
    "registry-document": Target(
        check=named(registries.read_document, MalformedImage), samples=registries.documents
    ),
    "registry-challenge": Target(
        check=named(registries.read_answers, ()), samples=registries.challenges
    ),
    # What people type and hand on in files.
    "image-reference": Target(
        check=stable(registries.read_reference, registries.write_reference, BadReference),
        samples=registries.references,
    ),
    "registry-credentials": Target(
        check=named(of_file(registries.read_login), BadCredentials), samples=registries.logins
    ),
    "join-line": Target(check=named(read_line, BadJoinLine), samples=samples.join_lines),
    "server": Target(check=named(read_server, BadServer), samples=samples.servers),
    "address": Target(check=named(read_address, BadAddress), samples=samples.addresses),
    "identity": Target(
        check=named(of_file(read_identity), BadIdentityFile), samples=samples.identities
    ),
    "config": Target(check=named(of_file(read_config), BadConfig), samples=samples.configs),
    "policy": Target(
        check=named(of_file(lambda path: read_policy(path, WorkConfig())), BadPolicyFile),
        samples=samples.policies,
    ),
    # Without a passphrase: scrypt takes by design up to a GiB and seconds.
    "key-file": Target(
        check=named(of_file(lambda path: load_keystore(path, None)), LearningChainError),
        samples=samples.key_files,
    ),
}

TARGETS: Final[Mapping[str, Target]] = {
    **{name: _record(kind_of(one), one) for name, one in found_decoders().items()},
    **_OURS,
}
"""All there are."""

BROKEN: Final = "broken"
"""The name of a decoder that breaks its promise: whoever looks for such must find it."""


def target_of(name: str) -> Target:
    """Return the target of a name."""
    if name == BROKEN:
        return Target(check=named(_break, ()), samples=lambda: [b"as promised"])
    return TARGETS[name]


def _break(data: bytes) -> None:
    if data[:1] == b"!":
        raise OverflowError("a decoder's own mistake")
