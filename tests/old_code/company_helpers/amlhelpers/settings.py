import yaml


class Settings(dict):
    """A dict whose keys are attributes too."""
    __getattr__ = dict.__getitem__


def load_settings(path):
    def wrap(value):
        if isinstance(value, dict):
            return Settings({k: wrap(v) for k, v in value.items()})
        return value
    with open(path) as f:
        return wrap(yaml.safe_load(f))
