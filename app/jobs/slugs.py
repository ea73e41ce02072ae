"""Models' names in addresses and in the store, as far as they follow from where a model is loaded from."""

import re
from pathlib import Path


def slug_of(source: str) -> str:
    """The slug that loading this model will give it, known without torch: see `app.subject.load`."""
    path = Path(source).expanduser()
    name = path.resolve().name if source.startswith((".", "/", "~")) else path.name
    if name.lower().endswith(".gguf"):
        name = re.sub(r"[.-](?:I?Q\d\w*|B?F(?:16|32)|fp16)$", "", name[:-5], flags=re.IGNORECASE) or name[:-5]
    return slug_of_name(name)


def slug_of_name(name: str) -> str:
    """The slug of a model with this name; empty where it has no letter or digit."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.")
