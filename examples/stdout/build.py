"""Builds the image of a program beside this file: the running Python, what the program imports, its data.

python build.py svc.py svc.tar
"""

import sys
import tempfile
from pathlib import Path

from lc_jupyter.packaging.image import build_planned, write_archive
from lc_jupyter.packaging.program import plan_program

HERE = Path(__file__).parent


def build(program: str, archive: Path) -> str:
    """Write the archive and return the image's digest."""
    plan = plan_program(HERE / program, [HERE / "digits.csv"])
    with tempfile.TemporaryDirectory() as folder:
        image = build_planned(plan, Path(folder))
        write_archive(image, archive, tag=f"{Path(program).stem}:example")
    return image.digest


if __name__ == "__main__":
    print(build(sys.argv[1], Path(sys.argv[2])))
