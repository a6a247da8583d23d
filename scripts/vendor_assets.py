"""Fills static/vendor from node_modules: the files named in static/vendor.json and one sprite of icons.

`static/vendor.json` lists `{"from": "<path below node_modules>", "to": "<path below static/vendor>"}`, files or folders.
`static/icons.json` lists names of Tabler outline icons; they become `<symbol id="name">` in static/vendor/icons.svg.
Standard library only. Everything is built beside the old folder and put in its place at once.
"""

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = ROOT / "node_modules"
STATIC = ROOT / "static"
ICONS = MODULES / "@tabler" / "icons" / "icons" / "outline"
DRAWING = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
#: Tabler's icons begin with an invisible square.
BACKGROUND = re.compile(r'<path\s+stroke="none"\s+d="M0 0h24v24H0z"\s+fill="none"\s*/>')
#: What an outline icon says once for all of its strokes; their width is the style sheet's.
STYLE = 'fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"'


class AssetError(Exception):
    """A list names something that the installed packages do not have."""


def copy_files(entries: list[dict[str, str]], source: Path, target: Path) -> None:
    """Copy each entry's file or folder. Paths that leave `source` or `target`, or do not exist, are an AssetError."""
    for entry in entries:
        origin, destination = source / entry["from"], target / entry["to"]
        if not origin.resolve().is_relative_to(source.resolve()) or not destination.resolve().is_relative_to(
            target.resolve()
        ):
            raise AssetError(f"{entry['from']} → {entry['to']} leaves its folder.")
        destination.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, destination, dirs_exist_ok=True)
        elif origin.is_file():
            shutil.copyfile(origin, destination)
        else:
            raise AssetError(f"{entry['from']} is not among the installed packages: run `npm ci`.")


def sprite(names: list[str], icons: Path) -> str:
    """One SVG document with a symbol for each icon, in the order of their names."""
    symbols = []
    for name in sorted(set(names)):
        try:
            drawing = DRAWING.search((icons / f"{name}.svg").read_text())
        except FileNotFoundError as error:
            raise AssetError(f"There is no outline icon called {name}.") from error
        if drawing is None:
            raise AssetError(f"The icon {name} is not an SVG drawing.")
        shapes = " ".join(BACKGROUND.sub("", drawing.group(1)).split())
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24" {STYLE}>{shapes}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def build(static: Path = STATIC, modules: Path = MODULES, icons: Path = ICONS) -> int:
    """Build `static/vendor` anew; how many files it holds."""
    entries = json.loads((static / "vendor.json").read_text())
    names = json.loads((static / "icons.json").read_text())
    with tempfile.TemporaryDirectory(prefix=".vendor-", dir=static) as folder:
        fresh = Path(folder) / "vendor"
        fresh.mkdir()
        copy_files(entries, modules, fresh)
        (fresh / "icons.svg").write_text(sprite(names, icons))
        vendor = static / "vendor"
        if vendor.exists():
            vendor.rename(Path(folder) / "old")
        fresh.rename(vendor)
    return sum(1 for path in vendor.rglob("*") if path.is_file())


if __name__ == "__main__":
    try:
        print(f"static/vendor: {build()} files")
    except AssetError as problem:
        sys.exit(f"static/vendor could not be built: {problem}")
