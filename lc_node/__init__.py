"""LearningChain's node: a peer-to-peer market for training machine-learning models."""

from typing import Final

__version__: Final = "0.1.0"
