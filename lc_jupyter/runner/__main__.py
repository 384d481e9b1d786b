"""The entrypoint of an image: ``python -m lc_jupyter.runner train|evaluate|predict``."""

import sys

from lc_jupyter.runner.main import main

sys.exit(main(sys.argv[1:]))
