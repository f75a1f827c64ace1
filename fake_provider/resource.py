"""Objects of the API and the shelves they are kept on.

A `Resource` is the JSON object that clients see, as a dict. Events and answers hold snapshots of it: shallow
copies, rendered at most once however often the same state is shown. The rule that makes this safe: **nested
values are replaced, never changed in place**.
"""

from json import JSONEncoder
from json.encoder import encode_basestring_ascii
from typing import Any, NoReturn

from fake_provider.errors import missing_object

encode = JSONEncoder(separators=(",", ":")).encode


def encode_text(text: str | None) -> str:
    """The JSON of a text or None, without the detour of the general encoder."""
    return "null" if text is None else encode_basestring_ascii(text)


class Snapshot:
    """The members of an object at one moment, and their JSON once somebody asks for it."""

    __slots__ = ("_text", "members")

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members
        self._text: str | None = None

    def text(self) -> str:
        """The JSON."""
        if self._text is None:
            self._text = encode(self.members)
        return self._text


class Resource(dict[str, Any]):
    """One API object. Set members only through `[]` or `change`."""

    __slots__ = ("_snapshot",)

    def __init__(self, members: dict[str, Any]) -> None:
        super().__init__(members)
        self._snapshot: Snapshot | None = None

    def __setitem__(self, name: str, value: Any) -> None:
        self._snapshot = None
        super().__setitem__(name, value)

    def change(self, /, **members: Any) -> dict[str, Any]:
        """Sets members; returns the previous values of those that really changed (`previous_attributes`)."""
        previous = {name: self.get(name) for name, value in members.items() if self.get(name) != value}
        self._snapshot = None
        super().update(members)
        return previous

    def update(self, *_: Any, **__: Any) -> NoReturn:
        """Not this way: it would leave an old snapshot behind."""
        raise TypeError("a Resource is changed with `change`, which keeps its snapshot right")

    def snapshot(self) -> Snapshot:
        """The object as it is now; shared by all who ask before it changes."""
        if self._snapshot is None:
            self._snapshot = Snapshot(dict(self))
        return self._snapshot

    def text(self) -> str:
        """Its JSON."""
        return self.snapshot().text()


class Shelf(dict[str, Resource]):
    """All objects of one kind by id, oldest first. `noun` is how error texts call one, `param` how they call
    its id."""

    def __init__(self, noun: str, param: str) -> None:
        super().__init__()
        self.noun = noun
        self.param = param

    def put(self, resource: Resource) -> Resource:
        self[resource["id"]] = resource
        return resource

    def find(self, object_id: str) -> Resource:
        """The object of this id in a path; raises the 404 answer."""
        found = self.get(object_id)
        if found is None:
            raise missing_object(self.noun, object_id, self.param)
        return found

    def find_param(self, object_id: str, param: str) -> Resource:
        """The object that a parameter names; raises the 400 answer."""
        found = self.get(object_id)
        if found is None:
            raise missing_object(self.noun, object_id, param, status=400)
        return found
