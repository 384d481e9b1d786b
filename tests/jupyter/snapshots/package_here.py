"""Packages a cell with the interpreter that runs this; handed to it as text, as a kernel has no file either."""

import json
import linecache
import sys
from pathlib import Path
from typing import Any

from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.image import build_image
from lc_jupyter.packaging.layer_cache import LayerCache


class OutsideTrial:
    """What a cell needs of a trial where there is no node."""

    seed = 7

    def report(self, *_: object, **__: object) -> None:
        """Hear of a loss, and do nothing."""


def main(order: dict[str, Any]) -> dict[str, Any]:
    """Run the cell, package its functions, and say what came of both."""
    text, name = order["cell"], "<cell>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), names)  # noqa: S102 (the way a kernel runs a cell)
    request = SnapshotRequest(
        train=names["train"],
        evaluate=names["evaluate"],
        save=names.get("save"),
        load=names.get("load"),
        model_format=order["model_format"],
        cell=text,
        include=tuple(map(Path, order["include"])),
    )
    folder = Path(order["folder"])
    image = build_image(request, folder / "blobs", cache=LayerCache(Path(order["cache"])))
    return {
        "digest": image.digest,
        "outside": names["evaluate"](names["train"](OutsideTrial())),
        "layers": [[layer.title, layer.digest, layer.size] for layer in image.layers],
        "total_bytes": image.total_bytes,
        "distributions": [name for name, _ in image.plan.distributions],
        "local_files": list(image.plan.local_files),
        "startup_code": list(image.plan.startup_code),
        "missing": dict(image.plan.missing_libraries),
        "seconds": dict(image.seconds),
    }


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))  # noqa: T201 (its one answer)
