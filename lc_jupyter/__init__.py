"""LearningChain in a notebook: magics, submission, results."""
