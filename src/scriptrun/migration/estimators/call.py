"""Read the settings in a call of an Estimator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from scriptrun.migration.code import constants, dict_building, subclasses
from scriptrun.migration.code.program import Program
from scriptrun.migration.findings import NEEDS_REVIEW

#: frameworks by Estimator class
FRAMEWORKS = {
    "Estimator": "",
    "MMLBaseEstimator": "",
    "PyTorch": "PyTorch",
    "TensorFlow": "TensorFlow",
    "Chainer": "Chainer",
    "SKLearn": "SKLearn",
}
_PARAMETERS = (
    "source_directory compute_target vm_size vm_priority entry_script script_params node_count "
    "process_count_per_node distributed_backend distributed_training use_gpu use_docker "
    "custom_docker_base_image custom_docker_image image_registry_details user_managed "
    "conda_packages pip_packages conda_dependencies_file_path pip_requirements_file_path "
    "conda_dependencies_file pip_requirements_file environment_variables environment_definition "
    "inputs source_directory_data_store shm_size resume_from max_run_duration_seconds "
    "worker_count parameter_server_count framework_version"
)
PARAMETERS = frozenset(_PARAMETERS.split())
#: the package of the Estimators, or azureml itself, through which it may be reached
_MAY_IMPORT = re.compile(r"azureml(?!\s*\.\s*(?!train\b)\w)")


class CannotRewrite(Exception):
    """Code that cannot be rewritten, and why."""

    def __init__(self, reason: str, advice: str = "", kind: str = NEEDS_REVIEW) -> None:
        super().__init__(reason)
        self.reason, self.advice, self.kind = reason, advice, kind


class Setting(NamedTuple):
    """One setting: its value as node and as text, and the argument that sets it.

    ``arg`` is None if the setting comes from a dictionary passed with ``**``.
    """

    name: str
    node: cst.BaseExpression
    text: str
    arg: cst.Arg | None


def framework_name(qualified: str) -> str | None:
    """The framework of the Estimator class ``qualified``, or None for other classes."""
    package, _, name = qualified.rpartition(".")
    return FRAMEWORKS.get(name) if package.startswith("azureml.train") else None


def called_class(program: Program, call: cst.Call) -> cst.BaseExpression:
    """The class that is called: after ``Kind = PyTorch``, it is PyTorch for ``Kind(...)``.

    The same holds for ``super().__init__(...)`` in a subclass of PyTorch with nothing else.
    """
    return constants.resolve(program, subclasses.base_class(program, call) or call.func)


def estimator_calls(program: Program) -> list[cst.Call]:
    """The calls of Estimators, in source order."""
    if not _MAY_IMPORT.search(program.text):
        return []
    matches = [
        call
        for call in program.calls
        if framework_name(program.qualified_name(called_class(program, call))) is not None
    ]
    return sorted(matches, key=program.span)


def star_imported_calls(program: Program) -> list[cst.Call]:
    """Calls of names that may be Estimators from a star import."""
    stars = [
        statement
        for statement in program.nodes(cst.ImportFrom)
        if isinstance(statement.names, cst.ImportStar)
    ]
    modules = [program.source(star.module) for star in stars if star.module is not None]
    if not any(module.startswith("azureml.train") for module in modules):
        return []
    return [
        call
        for call in program.calls
        if isinstance(call.func, cst.Name)
        and call.func.value in FRAMEWORKS
        and not program.assignments(call.func.value, call)
    ]


class CallSettings(NamedTuple):
    """The settings of a call by name; ``freed`` are dictionaries it will no longer use."""

    settings: dict[str, Setting]
    freed: list[cst.Name]


def read_call(program: Program, call: cst.Call) -> CallSettings:
    """Read the settings of ``call``. Raises CannotRewrite if they are uncertain."""
    settings: dict[str, Setting] = {}
    freed: list[cst.Name] = []
    for number, arg in enumerate(call.args):
        if arg.star == "**":
            new_settings = list(_spread_settings(program, call, arg, freed))
        elif arg.star or (arg.keyword is None and number > 0):
            raise CannotRewrite(
                "it has positional arguments",
                "Use keyword arguments; only source_directory may be positional.",
            )
        else:
            name = arg.keyword.value if arg.keyword else "source_directory"
            new_settings = [Setting(name, arg.value, program.source(arg.value), arg)]
        for setting in new_settings:
            if setting.name in settings:
                raise CannotRewrite(f"duplicate argument {setting.name}")
            settings[setting.name] = setting
    unknown = sorted(set(settings) - PARAMETERS)
    if unknown:
        raise CannotRewrite(f"an Estimator has no parameter {unknown[0]}")
    return CallSettings(settings, freed)


def _spread_settings(
    program: Program, call: cst.Call, arg: cst.Arg, freed: list[cst.Name]
) -> Iterator[Setting]:
    """The settings in a dictionary passed with ``**``."""
    node = constants.resolve(program, arg.value)
    pairs = _pairs(program, node)
    if pairs is None:
        raise CannotRewrite(
            f"the content of **{program.source(arg.value)} is uncertain",
            "Write the settings out, or use a dictionary that is assigned once, with literal keys.",
        )
    inline = node is arg.value
    name = arg.value if isinstance(arg.value, cst.Name) else None
    if name is not None and constants.may_change(program, name, estimator_calls(program)):
        steps = dict_building.building_steps(program, name, estimator_calls(program), spread=True)
        if steps is None:
            raise CannotRewrite(
                f"the dictionary {name.value} is modified or passed on before this use",
                f"Only assign {name.value}['setting'] = ..., each key once.",
            )
        keys = [constants.constant(program, step.key) for step in steps]
        values = [step.statement.value for step in steps]
        pairs += [
            (key, value) for key, value in zip(keys, values, strict=True) if isinstance(key, str)
        ]  # building_steps has checked that all are
        yield from [Setting(key, value, f"{name.value}[{key!r}]", None) for key, value in pairs]
        return
    stable_values = []
    for key, value in pairs:
        stable = inline or constants.is_stable(program, value)
        text = program.source(value) if stable else f"{program.source(arg.value)}[{key!r}]"
        stable_values.append(stable)
        yield Setting(key, value, text, None)
    if name is not None and all(stable_values):
        freed.append(name)


def _pairs(
    program: Program, node: cst.BaseExpression
) -> list[tuple[str, cst.BaseExpression]] | None:
    if isinstance(node, cst.Call) and program.source(node.func) == "dict":
        if any(arg.star or arg.keyword is None for arg in node.args):
            return None
        return [(arg.keyword.value, arg.value) for arg in node.args if arg.keyword]
    if not isinstance(node, cst.Dict):
        return None
    pairs = []
    for element in node.elements:
        key = (
            constants.constant(program, element.key)
            if isinstance(element, cst.DictElement)
            else None
        )
        if not isinstance(key, str):
            return None
        pairs.append((key, element.value))
    return pairs


def setting_value(program: Program, setting: Setting | None, default: object = None) -> object:
    """The value of the setting, ``default`` if it is not set, or UNKNOWN if uncertain."""
    return default if setting is None else constants.constant(program, setting.node)
