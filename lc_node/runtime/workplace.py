"""Where this node's runs take place: its sandbox, its unpacked images, and what is known of both."""

from typing import Final

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.oci_image import OciImageStore
from lc_node.chain.types import ByteCount, PublicKey
from lc_node.ports.images import ImageStore
from lc_node.ports.sandbox import Capabilities, SandboxUnavailable
from lc_node.ports.stores import BlobStore
from lc_node.runtime.config import Config
from lc_node.runtime.home import Home
from lc_node.runtime.measured_sandbox import MeasuredSandbox

_IMAGES_SHARE: Final = 2
"""Unpacked images take about twice what their blobs do."""


class Workplace:
    """The sandbox and the images that its runs are of."""

    def __init__(self, home: Home, config: Config, blobs: BlobStore, *, node: PublicKey) -> None:
        """Build both; nothing is started or looked at yet."""
        sandbox = BubblewrapSandbox(node.hex()[:16], disks=home.outputs_path)
        self.sandbox: Final = MeasuredSandbox(sandbox)
        self.images: Final[ImageStore] = OciImageStore(
            home.images_path,
            blobs,
            cache_bytes_max=ByteCount(_IMAGES_SHARE * config.storage.blobs_bytes_max),
        )
        self._capabilities: Capabilities | None = None
        self._problem = "the sandbox has not been probed yet"

    def capabilities(self) -> Capabilities | None:
        """Return what the sandbox enforces, None if none works."""
        return self._capabilities

    def problem(self) -> str:
        """Say why nothing can be run here, and the remedy; empty if something can."""
        return self._problem

    async def probe(self, *, is_needed: bool) -> None:
        """Learn what the sandbox enforces, after removing what an earlier life of this node left in it.

        Raises:
            SandboxUnavailable: nothing can be isolated, and it is needed; else the node does without.
        """
        try:
            await self.sandbox.reap()
            self._capabilities, self._problem = await self.sandbox.probe(), ""
        except SandboxUnavailable as error:
            if is_needed:
                raise
            self._problem = str(error)
