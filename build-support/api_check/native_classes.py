"""What the import of Pants's Python and its rule parser need of the native extension, in Python."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Self

_EMPTY_FINGERPRINT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class FrozenDict(dict[Any, Any]):
    """A dictionary that can be hashed."""

    @classmethod
    def deep_freeze(cls, data: Mapping[Any, Any]) -> FrozenDict:
        """Return the dictionary."""
        return cls(data)

    @staticmethod
    def frozen(data: Mapping[Any, Any]) -> FrozenDict:
        """Return the dictionary."""
        return FrozenDict(data)

    def __hash__(self) -> int:  # type: ignore[override]  # a dict cannot be hashed
        return hash(frozenset(self))

    def __or__(self, other: Any) -> FrozenDict:
        return FrozenDict({**self, **other})


class FrozenOrderedSet(AbstractSet[Any]):
    """A set in the order of what was given."""

    def __class_getitem__(cls, _items: Any) -> type[Self]:
        return cls

    _items: dict[Any, None]

    # As the extension's own: subclasses override `__new__` and hand it what they were given.
    def __new__(cls, items: Iterable[Any] | None = None) -> Self:
        """Return a set that holds the items already."""
        made = super().__new__(cls)
        made._items = dict.fromkeys(items or ())
        return made

    def __init__(self, items: Iterable[Any] | None = None) -> None:
        del items

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items))

    def union(self, *others: Iterable[Any]) -> FrozenOrderedSet:
        """Return a set of these and others."""
        return FrozenOrderedSet([*self, *(one for other in others for one in other)])


class LockedMap:
    """A dictionary that threads share."""

    def __class_getitem__(cls, _items: Any) -> type[Self]:
        return cls

    def __init__(self) -> None:
        self._items: dict[Hashable, Any] = {}

    def get_or_insert(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return what is kept, or keep what ``compute`` returns."""
        if key not in self._items:
            self._items[key] = compute()
        return self._items[key]

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value."""
        self._items[key] = value

    def forget(self, key: Hashable) -> None:
        """Drop a value."""
        self._items.pop(key, None)

    def clear(self) -> None:
        """Drop all."""
        self._items.clear()


class Digest:
    """The digest of a tree."""

    def __init__(self, fingerprint: str, serialized_bytes_length: int) -> None:
        self.fingerprint = fingerprint
        self.serialized_bytes_length = serialized_bytes_length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


class FileDigest(Digest):
    """The digest of a file."""


class Snapshot:
    """A tree with its names: an empty one."""

    digest = Digest(_EMPTY_FINGERPRINT, 0)
    files = ()
    dirs = ()


class Field:
    """A field of a target, without the checks of its value."""

    none_is_valid_value = False
    default: Any = None
    required = False
    removal_version: str | None = None
    removal_hint: str | None = None
    deprecated_alias: str | None = None
    deprecated_alias_removal_version: str | None = None

    def __init__(self, raw_value: Any, address: Any) -> None:
        self.address = address
        self.value = self.compute_value(raw_value, address)

    @classmethod
    def compute_value(cls, raw_value: Any, address: Any) -> Any:
        """Return the value, or the default."""
        del address
        return cls.default if raw_value is None else raw_value


class UnionRule:
    """A member of a union.

    :raises TypeError: the base is no union.
    """

    def __init__(self, union_base: type, union_member: type) -> None:
        if union_base.__dict__.get("_is_union_for") is not union_base:
            raise TypeError(f"{union_base} is no union")
        self.union_base = union_base
        self.union_member = union_member

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnionRule) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.union_base, self.union_member))


class PyGeneratorResponseGet:
    """What a rule awaited before Pants 2.32 when it asked by type."""


class RuleCallTrampoline:
    """A rule as its module has it since Pants 2.33: what calls it by name."""

    def __class_getitem__(cls, _items: Any) -> type[Self]:
        return cls

    def __init__(self, rule_id: str, output_type: type, wrapped: Callable[..., Any], rule: object) -> None:
        self.rule_id = rule_id
        self.output_type = output_type
        self.rule = rule
        self.__wrapped__ = wrapped
        for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
            setattr(self, name, getattr(wrapped, name))

    def __call__(self, *arguments: Any, **implicit: Any) -> Any:
        """Refuse: there is no engine."""
        raise NotImplementedError(f"{self.rule_id} cannot run without an engine")


STAND_INS: dict[str, object] = {
    **{
        one.__name__: one
        for one in (
            FrozenDict,
            FrozenOrderedSet,
            LockedMap,
            Digest,
            FileDigest,
            Snapshot,
            Field,
            UnionRule,
            PyGeneratorResponseGet,
            RuleCallTrampoline,
        )
    },
    "EMPTY_DIGEST": Digest(_EMPTY_FINGERPRINT, 0),
    "EMPTY_FILE_DIGEST": FileDigest(_EMPTY_FINGERPRINT, 0),
    "EMPTY_SNAPSHOT": Snapshot(),
    "default_cache_path": lambda: "/nonexistent",
}
