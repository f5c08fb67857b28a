"""A user's own file, as text or as bytes."""

import pytest


@pytest.fixture
def write(tmp_path):
    def write(content, name="reviews.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write
