"""Objects of the API and the shelves they are kept on.

A `Resource` is the JSON object that clients see, as a dict. Its rendered text is kept until a member is set, since the same state
is usually rendered several times over: in an event, in an answer and in a retrieve. The rule that makes this safe: **nested
values are replaced, never changed in place**.
"""

from json import JSONEncoder
from typing import Any, NoReturn

from fake_provider.errors import missing_object

encode = JSONEncoder(separators=(",", ":")).encode


class Resource(dict[str, Any]):
    """One API object. Set members only through `[]` or `change`."""

    __slots__ = ("_text",)

    def __init__(self, members: dict[str, Any]) -> None:
        super().__init__(members)
        self._text: str | None = None

    def __setitem__(self, name: str, value: Any) -> None:
        self._text = None
        super().__setitem__(name, value)

    def change(self, **members: Any) -> dict[str, Any]:
        """Sets members and returns the previous values of those that really changed (`previous_attributes`)."""
        previous = {name: self.get(name) for name, value in members.items() if self.get(name) != value}
        self._text = None
        super().update(members)
        return previous

    def update(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a Resource is changed with `change`, which keeps its rendered text right")

    def text(self) -> str:
        """Its JSON."""
        if self._text is None:
            self._text = encode(self)
        return self._text


class Shelf(dict[str, Resource]):
    """All objects of one kind by id, oldest first. `noun` is how error texts call one, `param` how they call its id."""

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
