"""What a script says about its run besides metrics: tags, properties, its name (Python 3.6+)."""

from scriptrun.runtime.injob import record, values
from scriptrun.runtime.injob.errors import UserErrorException


class RecordCalls(object):
    """Mixed into a run: needs ``folder`` and ``id``."""

    folder = None
    id = None

    def tag(self, key, value=None):
        """Set the tag ``key`` to ``value``'s text; without a value the tag alone."""
        self.set_tags({key: value})

    def set_tags(self, tags):
        """Set the tags of the dict ``tags`` (or one tag without a value); others stay."""
        tags = tags if isinstance(tags, dict) else dict.fromkeys(_names(tags))
        record.say(self.folder, "tag", set={values.text(key): _text(tags[key]) for key in tags})

    def remove_tags(self, tags):
        """Remove the tags of these names (or the one of this name)."""
        record.say(self.folder, "tag", remove=_names(tags))

    def get_tags(self):
        """The tags as they stand, by name; the value of a tag without one is None."""
        return record.tags(self.folder)

    tags = property(get_tags)

    def add_properties(self, properties):
        """Add properties, which never change afterwards.

        Raises UserErrorException where one of them has another value already.
        """
        there = self.get_properties()
        new = {values.text(key): _text(value) for key, value in properties.items()}
        for key, value in new.items():
            if there.get(key, value) != value:
                raise UserErrorException(
                    "the property {!r} of this run is {!r} already and cannot become {!r}".format(
                        key, there[key], value
                    ),
                    "Use a tag for what changes.",
                )
        record.say(self.folder, "properties", set=new)

    def get_properties(self):
        """The run's properties, by name."""
        return record.properties(self.folder)

    properties = property(get_properties)

    def get_status(self):
        """The run's state, such as "Running"."""
        return record.state(self.folder)

    status = property(get_status)

    @property
    def display_name(self):
        """The name for people; setting it renames the run."""
        default = record.job(self.folder).get("display_name") or self.id
        return record.latest(self.folder, "display_name", default)

    @display_name.setter
    def display_name(self, value):
        record.say(self.folder, "display_name", value=str(value))

    name = display_name

    @property
    def description(self):
        """The run's description, or None."""
        return record.latest(self.folder, "description", None)

    @description.setter
    def description(self, value):
        record.say(self.folder, "description", value=None if value is None else str(value))

    @property
    def type(self):
        """What kind of run it is, such as "azureml.scriptrun"."""
        return record.job(self.folder).get("kind")


def _names(tags):
    return [values.text(tag) for tag in ([tags] if isinstance(tags, str) else list(tags))]


def _text(value):
    value = values.scalar(value)
    return None if value is None else values.text(value)
