"""What is seen of pictures: that they are there, and how many boxes are drawn over them."""

import time

from playwright.sync_api import Locator

SECONDS = 30
SEEN = """(roots) => roots.map((root) => {
  const [image, canvas] = [root.querySelector("img"), root.querySelector("canvas")];
  const pixels = canvas?.width ? canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data : [];
  return {
    loaded: image.complete && image.naturalWidth > 0,
    boxes: JSON.parse(root.dataset.boxes).length,
    drawn: pixels.some((value, place) => place % 4 === 3 && value > 0),
  };
})"""


def boxes_over(within: Locator, pictures: int) -> int:
    """Waits until so many pictures are shown, each that has boxes with something drawn over it; how many boxes."""
    end = time.monotonic() + SECONDS
    while not _are_drawn(found := within.locator("[data-boxes]").evaluate_all(SEEN), pictures):
        assert time.monotonic() < end, found
        within.page.wait_for_timeout(50)
    return sum(picture["boxes"] for picture in found)


def is_anything_drawn(picture: Locator) -> bool:
    """Whether there is any label over the picture."""
    return bool(picture.evaluate_all(SEEN)[0]["drawn"])


def _are_drawn(found: list[dict[str, int]], pictures: int) -> bool:
    done = (picture["loaded"] and picture["drawn"] == (picture["boxes"] > 0) for picture in found)
    return len(found) == pictures and all(done)
