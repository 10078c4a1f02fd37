"""The page without its data: HTML, style sheet, formulas and JavaScript put into one text, as a page without network
can't import files. Its policy names the digests of script and style: nothing else runs in it."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "page"
_MATHS: Final = _FOLDER / "katex"
MODULES: Final = (
    "dom", "colours", "visible", "formulas", "highlight", "text", "data", "compare", "filter", "list", "layout",
    "nodes", "drawing", "tree", "panel", "conversation", "question", "summary", "keys", "main",
)  # fmt: skip
"""The files of JavaScript, each behind those that it imports."""

_IMPORT: Final = re.compile(r'^import \{(.*?)\} from "\./(\w+)\.js";', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?:async )?(?:function|const) (\w+)", re.MULTILINE)
_FONT: Final = re.compile(r"@font-face\{[^}]*?url\(fonts/([\w-]+\.woff2)\)[^}]*?\}")
_FONT_SOURCE: Final = re.compile(r"src:[^}]*")
DATA: Final = "<!-- data -->"
"""Where the page's data stands: the entries of the list before the script, the trees behind it."""


@lru_cache(maxsize=2)
def page(*, served: bool) -> tuple[str, str, str]:
    """The page in three parts: data that the script needs at once goes behind the first, the trees behind the
    second. Only where it is `served` it may connect, to where it came from."""
    notice = (_MATHS / "LICENSE").read_text(encoding="utf-8").replace("*/", "")
    maths = f"/*! KaTeX\n{notice}*/\n" + (_MATHS / "katex.min.js").read_text(encoding="utf-8").strip()
    fonts = _FONT.sub(_font, (_MATHS / "katex.min.css").read_text(encoding="utf-8").strip())
    # one script that runs as soon as the browser has read it: a module would wait for the whole file
    script = "\n".join(['"use strict";', "{", "const modules = {};", *map(_module, MODULES), "}"])
    style = fonts + "\n" + _read("style.css")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_digest(script)}' '{_digest(maths)}'",
            f"style-src '{_digest(style)}'",
            "font-src data:",
            "img-src data:",
            "connect-src 'self'" if served else "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ]
    )
    html = _read("index.html").replace("{policy}", policy).replace("{style}", style)
    before, between, after = html.split(DATA)
    return before, between.replace("{maths}", maths).replace("{script}", script), after


def _module(name: str) -> str:
    """A module as a function with names of its own, which leaves what it exports in `modules`."""
    text = _read(f"{name}.js")
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub(lambda found: found[0].removeprefix("export "), _IMPORT.sub(r"const {\1} = modules.\2;", text))
    return f"modules.{name} = (() => {{\n{body}return {{ {exported} }};\n}})();"


def _font(rule: re.Match[str]) -> str:
    """A font within the style sheet; "" for one that is not packaged: the reader's own stands in for it."""
    file = _MATHS / rule[1]
    if not file.is_file():
        return ""
    data = base64.b64encode(file.read_bytes()).decode()
    return _FONT_SOURCE.sub(f'src:url(data:font/woff2;base64,{data}) format("woff2")', rule[0])


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
