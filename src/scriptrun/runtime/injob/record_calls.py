"""The methods of a run for tags, properties, name and status (Python 3.6+)."""

from scriptrun.runtime.injob import record, values
from scriptrun.runtime.injob.errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class RecordCalls(object):
    """Mixin for a run with a ``folder`` and an ``id``."""

    folder: str
    id: str

    def _write_event(self, kind: str, **fields: object) -> None:
        record.write_event(self.folder, kind, **fields)

    def tag(self, key: object, value: object = None) -> None:
        """Set the tag ``key`` to ``value`` as text; without a value, just the tag."""
        self.set_tags({values.text(key): value})

    def set_tags(self, tags: "Mapping[str, object] | Iterable[object] | str") -> None:
        """Set the tags in the dict ``tags`` (or one tag without a value), and keep the others."""
        tags = tags if isinstance(tags, dict) else dict.fromkeys(_tag_names(tags))
        self._write_event("tag", set={values.text(key): _text(tags[key]) for key in tags})

    def remove_tags(self, tags: "Iterable[object] | str") -> None:
        """Remove the named tags (or a single one)."""
        self._write_event("tag", remove=_tag_names(tags))

    def get_tags(self) -> "dict[str, str | None]":
        """The current tags by name; a tag without a value is None."""
        return record.tags(self.folder)

    tags = property(get_tags)

    def add_properties(self, properties: "Mapping[str, object]") -> None:
        """Add properties, which cannot change afterwards.

        Raises UserErrorException if one of them already has another value.
        """
        existing = self.get_properties()
        if not hasattr(properties, "items"):
            raise _wrong_kind("Properties must be a dict", properties)
        new = {values.text(key): _text(value) for key, value in properties.items()}
        for key, value in new.items():
            if existing.get(key, value) != value:
                raise UserErrorException(
                    "Property {!r} of this run is already {!r}; cannot change it to {!r}.".format(
                        key, existing[key], value
                    ),
                    "Use a tag for values that change.",
                )
        self._write_event("properties", set=new)

    def get_properties(self) -> "dict[str, str | None]":
        """The run's properties, by name."""
        return record.properties(self.folder)

    properties = property(get_properties)

    def get_status(self) -> str:
        """The run's state, e.g. "Running"."""
        return record.state(self.folder)

    status = property(get_status)

    @property
    def display_name(self) -> str:
        """The display name; assigning it renames the run."""
        default = record.job(self.folder).get("display_name") or self.id
        latest_name: str = record.latest(self.folder, "display_name", default)
        return latest_name

    @display_name.setter
    def display_name(self, value: object) -> None:
        self._write_event("display_name", value=str(value))

    name = display_name

    @property
    def short_name(self) -> str:
        """The short name, such as brisk-otter-12. It follows from the ID and never changes."""
        from scriptrun.runtime.injob import short_names

        return short_names.short_name(self.id)

    @property
    def description(self) -> "str | None":
        """The run's note, or None; assigning it replaces the note. SDK v1's name for ``note``."""
        latest_text: "str | None" = record.latest(self.folder, "description", None)
        return latest_text

    @description.setter
    def description(self, value: object) -> None:
        self._write_event("description", value=None if value is None else str(value))

    note = description

    @property
    def type(self) -> "str | None":
        """The run type, e.g. "azureml.scriptrun"."""
        return record.job(self.folder).get("kind")


def _wrong_kind(requirement: str, value: object) -> UserErrorException:
    return UserErrorException("{}, not {}.".format(requirement, type(value).__name__))


def _tag_names(tags: "Iterable[object] | str") -> "list[str]":
    if not hasattr(tags, "__iter__"):
        raise _wrong_kind("Tags must be a dict, a list of names or one name", tags)
    return [values.text(tag) for tag in ([tags] if isinstance(tags, str) else list(tags))]


_text = values.tag_text
