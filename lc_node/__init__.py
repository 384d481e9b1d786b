"""LearningChain's node: a peer-to-peer market for training machine-learning models."""
