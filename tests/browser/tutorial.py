"""The cells of docs/TUTORIAL.md, and the graph that it begins with."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "TUTORIAL.md"
_CELL: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOG_SHOWN: Final = 3000
_STOP_SECONDS: Final = 60


def get_cells() -> list[str]:
    """Return the code that the page tells its reader to type, cell by cell."""
    return [cell.rstrip("\n") for cell in _CELL.findall(PAGE.read_text(encoding="utf-8"))]


@contextmanager
def running_devnet(folder: Path) -> Iterator[Path]:
    """Run ``lc-node devnet``; yield the home that it tells the reader to name in ``LC_NODE``."""
    words = (sys.executable, "-m", "lc_node", "devnet", "--folder", str(folder))
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = next((line for line in process.stdout if "export LC_NODE=" in line), "")
            assert told, "lc-node devnet ended without saying where its node is"
            yield Path(told.partition("=")[2].strip())
        finally:
            process.send_signal(signal.SIGINT)
            ended = process.wait(_STOP_SECONDS)
            for log in sorted(folder.glob("*/node.log")):
                print(f"--- {log.parent.name}\n{log.read_text(errors='replace')[-_LOG_SHOWN:]}")  # noqa: T201 (pytest shows it if a test fails)
    assert ended == 0, "Ctrl-C ends a devnet"
