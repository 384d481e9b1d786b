"""What browsers get is what the sources say: the bundle is kept, so that installing needs no compiler."""

from pathlib import Path

import pytest

from tests.browser.bundle import BUNDLE, build, check_types, copy_of_sources

pytestmark = pytest.mark.slow


def test_the_kept_bundle_is_that_of_the_sources_and_their_types_hold(tmp_path: Path) -> None:
    sources = copy_of_sources(tmp_path)

    assert check_types(sources) == ""
    assert build(sources) == BUNDLE.read_bytes(), "make frontend builds it anew"
