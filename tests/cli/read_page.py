#!/usr/bin/env python3
"""Reads a page that concur wrote and prints its text, a line for each row, heading and paragraph.

usage: read_page.py FILE

Fails where the page is not well nested, needs anything from elsewhere, or has anything that could run.
"""

import html.parser
import re
import sys

VOID = {"meta", "rect"}  # rect may also be closed at once, as in <rect/>
BLOCKS = {"tr", "h1", "h2", "p", "title", "caption", "text"}
ELEMENTS = BLOCKS | VOID | {"html", "head", "body", "style", "div", "table", "thead", "tbody", "th", "td", "bdi", "svg"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.lines, self.cells, self.styles = [], [], [], []

    def handle_starttag(self, tag, attributes):
        assert tag in ELEMENTS, f"<{tag}> in {self.getpos()}"
        for name, value in attributes:
            assert not name.startswith("on") and name not in ("src", "href", "xlink:href", "style", "action"), name
            assert value is not None and "url(" not in value and "://" not in value, (name, value)
        if tag == "meta" and ("http-equiv", "Content-Security-Policy") in attributes:
            self.lines.append(dict(attributes)["content"])
        if tag not in VOID or (tag == "rect" and not self.get_starttag_text().endswith("/>")):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> in {self.getpos()}, open are {self.open}"
        self.open.pop()
        if tag in BLOCKS and not (tag == "title" and "svg" in self.open):
            self.lines.append("|".join(self.cells))
            self.cells = []

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.styles.append(data)
        elif self.open and not data.isspace() and not ("svg" in self.open and self.open[-1] == "title"):
            self.cells.append(data)
        else:
            assert data.isspace() or self.open, data


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    assert text.startswith("<!DOCTYPE html>\n")
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, page.open
    for style in page.styles:
        assert not re.search(r"url\(|@import|://", style), style
    print("\n".join(line for line in page.lines if line))


main()
