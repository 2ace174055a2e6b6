"""The pictures are those that the program draws: ``python -m scripts.pictures`` writes them."""

from scripts.pictures.__main__ import IMAGES, pictures


def test_the_pictures_are_those_that_the_store_draws():
    drawn = {path.name: path.read_text(encoding="utf-8") for path in IMAGES.glob("*.svg")}
    assert drawn == pictures(), "run: python -m scripts.pictures"
