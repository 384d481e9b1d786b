"""``python -m lc_node`` is ``lc-node``."""

from lc_node.cli.main import main

if __name__ == "__main__":
    main()
