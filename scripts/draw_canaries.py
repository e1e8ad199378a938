"""Draw the canary images that the faith gate compares engines on.

    python scripts/draw_canaries.py --out app/demo/canaries

Demo frames, half of them with a ball, at 448 px to keep them small. The same arguments give the same bytes.
"""

import io
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from app.demo.dataset import Contamination, draw_planned, plan_demo

COUNT = 64
SEED = 20_770_101
SIDE_PX = 448
QUALITY = 72


def main(out: Annotated[Path, typer.Option(help="Where the images are written.")]) -> None:
    """Write the canaries."""
    out.mkdir(parents=True, exist_ok=True)
    for number, planned in enumerate(plan_demo(COUNT, SEED, Contamination.NONE)):
        data, _ = draw_planned(planned)
        picture = Image.open(io.BytesIO(data)).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
        picture.save(out / f"{number:02}.jpg", "JPEG", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    typer.run(main)
