"""A notebook without a browser: cells run in a real IPython shell, their outputs are kept."""

import gc
from dataclasses import dataclass
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config


@dataclass(frozen=True)
class Ran:
    """What a cell has left."""

    ok: bool
    out: str
    err: str
    html: str

    @property
    def is_one_line(self) -> bool:
        """Whether it failed with one line and no traceback."""
        return not self.ok and "Traceback" not in self.out and self.err.strip().count("\n") == 0


class Shell:
    """A kernel's shell, with the magics loaded."""

    def __init__(self, folder: Path) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.ipython_dir = str(folder)
        config.InteractiveShell.colors = "nocolor"
        self.ipython = InteractiveShell.instance(config=config)
        self.ran = self.run("%load_ext lc_jupyter")

    @property
    def names(self) -> dict[str, object]:
        """The variables of the notebook."""
        names: dict[str, object] = self.ipython.user_ns
        return names

    def run(self, cell: str) -> Ran:
        """Run a cell as a notebook would."""
        with capture_output() as captured:
            result = self.ipython.run_cell(cell, store_history=True)
        html = "".join(output.data.get("text/html", "") for output in captured.outputs)
        shown = "".join(output.data.get("text/plain", "") + "\n" for output in captured.outputs)
        return Ran(
            ok=bool(result.success), out=captured.stdout + shown, err=captured.stderr, html=html
        )

    def close(self) -> None:
        """Give back what a shell takes of the interpreter."""
        self.run("%unload_ext lc_jupyter")
        self.ipython.restore_sys_module_state()
        InteractiveShell.clear_instance()
        gc.collect()
