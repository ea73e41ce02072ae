"""Reading pages in tests: every element with its attributes and text, and what no page may ever hold."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img", "hr", "path", "circle", "rect", "line"}


@dataclass
class Element:
    """One element; `text` is that of everything inside."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    inside: list["Element"] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.all: list[Element] = []
        self.open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.all.append(element)
        for outer in self.open:
            outer.inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while self.open and self.open[-1].tag != tag:
            assert self.open[-1].tag in {"p", "li", "dt", "dd", "option"}, (
                f"</{tag}> closes <{self.open[-1].tag}>"
            )
            self.open.pop()
        assert self.open, f"</{tag}> closes nothing"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


@dataclass
class Markup:
    """A page."""

    all: list[Element]

    def find(self, tag: str = "", cls: str = "", **attributes: str) -> list[Element]:
        """Elements by tag, class and exact attributes (`data_key` means `data-key`)."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [
            e
            for e in self.all
            if (not tag or e.tag == tag)
            and (not cls or cls in e.classes)
            and all(e.attributes.get(name) == value for name, value in wanted.items())
        ]

    def one(self, tag: str = "", cls: str = "", **attributes: str) -> Element:
        found = self.find(tag, cls, **attributes)
        assert len(found) == 1, f"{len(found)} of <{tag} class={cls} {attributes}>"
        return found[0]


def read(html: str) -> Markup:
    """Parses a page, and asserts that it is well formed and holds nothing that the policy would block."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert not parser.open, [e.tag for e in parser.open]
    for element in parser.all:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), (element.tag, name)
            assert name != "style", element.tag
            if name in ("src", "href", "action", "formaction"):
                local = value.startswith(("/", "#", "?")) and not value.startswith("//")
                assert local, (element.tag, name, value)
        assert element.tag != "style"
        if element.tag == "script":
            assert "src" in element.attributes
            assert not element.text.strip()
    ids = [e["id"] for e in parser.all if "id" in e.attributes]
    assert len(ids) == len(set(ids)), ids
    return Markup(parser.all)
