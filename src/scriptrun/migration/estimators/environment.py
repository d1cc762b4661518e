"""Convert an Estimator's settings to code that creates the same Environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from scriptrun.config import frameworks
from scriptrun.config.environments import curated
from scriptrun.migration.code import constants
from scriptrun.migration.code.program import Program
from scriptrun.migration.estimators.call import Refused, Setting, value

NAMES = (
    "use_gpu",
    "use_docker",
    "custom_docker_base_image",
    "custom_docker_image",
    "image_registry_details",
    "user_managed",
    "conda_packages",
    "pip_packages",
    "conda_dependencies_file_path",
    "pip_requirements_file_path",
    "conda_dependencies_file",
    "pip_requirements_file",
    "environment_definition",
    "environment_variables",
    "shm_size",
    "framework_version",
)
#: settings that the SDK does not allow together with environment_definition
_EXCLUDED = tuple(
    name
    for name in NAMES
    if name
    not in ("use_docker", "environment_definition", "environment_variables", "framework_version")
)


class Made:
    """The Environment of a call: the ``lines`` that create it, and ``text`` to refer to it.

    ``later_lines`` follow the call; ``needs`` are names to import.
    """

    def __init__(
        self,
        program: Program,
        settings: dict[str, Setting],
        framework: str,
        name: Callable[[], str],
        workspace: str,
    ) -> None:
        self.program, self.settings, self.framework = program, settings, framework
        self.name, self.workspace = name, workspace
        self.needs: set[str] = set()
        self.lines: list[str] = []
        self.later: list[str] = []
        given = self._setting("environment_definition")
        if given is not None:
            self._check_excluded()
            self.text = given.text
            if _may_be_left_out(program, given.node):
                if framework:
                    raise Refused("environment_definition is uncertain and may be None")
                self.needs.add("Environment")
                self.text = f"{given.text} or Environment({self._quoted('estimator')})"
            self._variables_later()
        else:
            self.text = self._make()

    # helpers

    def _setting(self, name: str) -> Setting | None:
        """The setting, or None if it is certainly None, False or empty."""
        found = self.settings.get(name)
        if found is None or value(self.program, found) in (None, False, "", [], 0):
            return None
        return found

    def _value(self, name: str, default: Any = None) -> Any:
        return value(self.program, self.settings.get(name), default)

    def _quoted(self, text: str) -> str:
        quote = "'" if self.program.text.count("'") >= self.program.text.count('"') else '"'
        return f"{quote}{text}{quote}"

    def tight(self, setting: Setting) -> str:
        """The setting's text, in parentheses unless it is a name, call or literal."""
        text, node = setting.text, setting.node
        simple = constants.is_pure(node) or isinstance(
            node, cst.Call | cst.Dict | cst.List | cst.Tuple
        )
        return text if simple or text.startswith("(") else f"({text})"

    def _check_excluded(self) -> None:
        clashing = [name for name in _EXCLUDED if self._setting(name) is not None]
        if clashing:
            raise Refused(f"environment_definition cannot be combined with {', '.join(clashing)}")

    def _variables_later(self) -> None:
        found = self._setting("environment_variables")
        if found is not None:
            given = (
                found.text if isinstance(found.node, cst.Dict) else f"{self.tight(found)} or {{}}"
            )
            self.later.append(f"run_config.environment_variables.update({given})")

    # the environment

    def _make(self) -> str:
        base, title = self._base()
        conda = self._conda(title)
        settings = [*self._python(), *self._docker(), *self._variables()]
        if conda.base:
            base = conda.base
        if not conda.lines and not settings:
            return base
        name = self.name()
        self.lines = [f"{name} = {base}"]
        self.lines += [each.replace("{env}", name) for each in (*conda.lines, *settings)]
        return name

    def _base(self) -> tuple[str, str]:
        managed = self._value("user_managed", False)
        if self.framework and managed is constants.UNKNOWN:
            raise Refused("user_managed determines the packages, but its value is uncertain")
        plain = not self.framework or bool(managed)
        title = frameworks.environment_name("" if plain else self.framework)
        self.needs.add("Environment")
        if plain:
            return f"Environment({self._quoted(title)})", title
        if not self.workspace:
            return self._spelled(title), title
        name = self._curated_name()
        return (
            f"Environment.get(workspace={self.workspace}, name={name})"
            f".clone({self._quoted(title)})",
            title,
        )

    def _versions(self) -> Any:
        version = self._value("framework_version")
        default, known_versions = frameworks.VERSIONS[self.framework]
        if version in (None, ""):
            return default
        if version is not constants.UNKNOWN and version not in known_versions:
            raise Refused(f"{self.framework} has no framework_version {version!r}")
        return version

    def _curated_name(self) -> str:
        """The curated environment's name as code, an f-string if parts of it are uncertain."""
        version, gpu = self._versions(), self._value("use_gpu", False)
        if version is not constants.UNKNOWN and gpu is not constants.UNKNOWN:
            return self._quoted(frameworks.curated_name(self.framework, version, bool(gpu)))
        parts = frameworks.curated_name(self.framework, "\0", True).split("\0")
        middle = version
        if version is constants.UNKNOWN:
            default = frameworks.VERSIONS[self.framework][0]
            text = self.tight(self.settings["framework_version"])
            middle = f"{{{text} or {self._other(default)}}}"
        end = parts[1].replace("GPU", "CPU") if not gpu else parts[1]
        if gpu is constants.UNKNOWN and end:
            text = self.tight(self.settings["use_gpu"])
            end = f"-{{{self._other('GPU')} if {text} else {self._other('CPU')}}}"
        whole = f"{parts[0]}{middle}{end}"
        if self._quoted("")[0] in whole or "\n" in whole or "\\" in whole:
            raise Refused("framework_version and use_gpu are uncertain")
        return f"f{self._quoted(whole)}"

    def _other(self, text: str) -> str:
        other = '"' if self._quoted("")[0] == "'" else "'"
        return f"{other}{text}{other}"

    def _spelled(self, title: str) -> str:
        """Spell out the framework's packages, because no workspace is in scope to get them from."""
        version, gpu = self._versions(), self._value("use_gpu", False)
        if constants.UNKNOWN in (version, gpu):
            raise Refused(
                "framework_version or use_gpu is uncertain, and no workspace is in scope",
                "Pass an Environment from Environment.get(workspace, name).",
            )
        found = curated.get(frameworks.curated_name(self.framework, version, bool(gpu)))
        assert found is not None, "there is one for each version"
        self._curated = found
        return f"Environment({self._quoted(title)})"

    # packages and settings

    def _conda(self, title: str) -> Packages:
        return Packages(self, title)

    def _python(self) -> list[str]:
        found = self._setting("user_managed")
        if found is None:
            return []
        text = "True" if self._value("user_managed") is True else f"bool({found.text})"
        return [f"{{env}}.python.user_managed_dependencies = {text}"]

    def _docker(self) -> list[str]:
        lines = []
        image = self._setting("custom_docker_image") or self._setting("custom_docker_base_image")
        if image is not None:
            lines.append(self._set("docker.base_image", image))
        elif not self.framework or self._value("user_managed", False):
            lines += self._gpu()
        registry = self._setting("image_registry_details")
        if registry is not None:
            lines.append(self._set("docker.base_image_registry", registry))
        size = self._setting("shm_size")
        if size is not None:
            lines.append(self._set("docker.shm_size", size))
        return lines

    def _set(self, place: str, given: Setting) -> str:
        """The line that sets the attribute ``place``, unless the value is None at run time."""
        node = constants.follow(self.program, given.node)
        certain = isinstance(node, cst.Call) or isinstance(
            constants.constant(self.program, node), str
        )
        other = "" if certain else f" or {{env}}.{place}"
        return f"{{env}}.{place} = {given.text if certain else self.tight(given)}{other}"

    def _gpu(self) -> list[str]:
        found = self._setting("use_gpu")
        if found is None:
            return []
        self.needs.add("DEFAULT_GPU_IMAGE")
        line = "{env}.docker.base_image = DEFAULT_GPU_IMAGE"
        if self._value("use_gpu") is constants.UNKNOWN:
            line += f" if {self.tight(found)} else {{env}}.docker.base_image"
        return [line]

    def _variables(self) -> list[str]:
        found = self._setting("environment_variables")
        if found is None:
            return []
        given = found.text if isinstance(found.node, cst.Dict) else f"{self.tight(found)} or {{}}"
        return [f"{{env}}.environment_variables.update({given})"]


def _may_be_left_out(program: Program, node: cst.BaseExpression) -> bool:
    """Whether ``node`` is a parameter whose default is None."""
    if not isinstance(node, cst.Name):
        return False
    for each in program.assignments(node.value, node):
        target = getattr(each, "node", None)
        param = (
            target if isinstance(target, cst.Param) else program.parent(target) if target else None
        )
        if isinstance(param, cst.Param) and param.default is not None:
            return constants.constant(program, param.default) is None
    return False


class Packages:
    """The lines that add packages to an environment; ``base`` if they also create it."""

    def __init__(self, made: Made, title: str) -> None:
        self.made, self.base = made, ""
        self.lines: list[str] = []
        self.each = made.program.name_for(made.program.module, "package")
        self.conda = made.program.name_for(made.program.module, "conda")
        self.curated = getattr(made, "_curated", None)
        self.is_framework = title != frameworks.environment_name("")
        conda = self._file("conda_dependencies_file", "conda_dependencies_file_path")
        pip = self._file("pip_requirements_file", "pip_requirements_file_path")
        if self.curated is not None:
            self._spell_out()
        if conda:
            self._from_conda_file(conda)
        if pip:
            self._from_pip_file(pip)
        self._named(bool(conda or pip))

    def _file(self, *names: str) -> str:
        """The path of a file in the source directory, as code, or ""."""
        found = next(filter(None, map(self.made._setting, names)), None)
        if found is None:
            return ""
        program, folder = self.made.program, self.made.settings.get("source_directory")
        file = constants.constant(program, found.node)
        if not isinstance(file, str):
            raise Refused(f"{found.name} is uncertain", "Read the file into an Environment.")
        root = constants.constant(program, folder.node) if folder is not None else "."
        if isinstance(root, str):
            return self.made._quoted(file if root in (".", "") else f"{root.rstrip('/')}/{file}")
        assert folder is not None
        if not constants.is_pure(folder.node):
            raise Refused("source_directory is evaluated on each use", "Assign it to a variable.")
        self.made.needs.add("os")
        return f"os.path.join({folder.text}, {self.made._quoted(file)})"

    def _spell_out(self) -> None:
        assert self.curated is not None
        self.made.needs.add("CondaDependencies")
        conda = self.curated.python.conda_dependencies
        python = [each for each in conda.conda_packages if each.startswith("python=")]
        others = [each for each in conda.conda_packages if not each.startswith("python=")]
        words = [f"python_version={python[0][7:]!r}"] if python else []
        words += [f"conda_packages={others!r}"] if others else []
        words.append(f"pip_packages={list(conda.pip_packages)!r}")
        self.lines.append(
            f"{{env}}.python.conda_dependencies = CondaDependencies.create({', '.join(words)})"
        )

    def _from_conda_file(self, path: str) -> None:
        title = self.made._quoted(frameworks.environment_name(""))
        if not self.is_framework:
            self.base = f"Environment.from_conda_specification({title}, {path})"
            self.lines.append(self._add(self.made._quoted("azureml-defaults")))
            return
        self.made.needs.add("CondaDependencies")
        self.lines += [
            f"{self.conda} = CondaDependencies({path})",
            f"for {self.each} in {{env}}.python.conda_dependencies.pip_packages:",
            f"    {self.conda}.add_pip_package({self.each})",
            f"{{env}}.python.conda_dependencies = {self.conda}",
        ]

    def _from_pip_file(self, path: str) -> None:
        title = self.made._quoted(frameworks.environment_name(""))
        self.lines += [
            f"for {self.each} in Environment.from_pip_requirements({title}, {path})"
            ".python.conda_dependencies.pip_packages:",
            "    " + self._add(self.each),
        ]

    def _named(self, more: bool) -> None:
        """Add the packages that the call lists."""
        pip, conda = self.made._setting("pip_packages"), self.made._setting("conda_packages")
        if pip is None and conda is None:
            return
        if not (more or self.is_framework):
            self.made.needs.add("CondaDependencies")
            listed = (("conda_packages", conda), ("pip_packages", pip))
            words = [f"{name}={each.text}" for name, each in listed if each is not None]
            self.lines.append(
                f"{{env}}.python.conda_dependencies = CondaDependencies.create({', '.join(words)})"
            )
            return
        for each, kind in ((pip, "pip"), (conda, "conda")):
            if each is not None:
                self._one_by_one(each, kind)

    def _one_by_one(self, listed: Setting, kind: str) -> None:
        node = listed.node
        if isinstance(node, cst.List) and len(node.elements) <= 4 and "#" not in listed.text:
            plain = all(isinstance(each, cst.Element) for each in node.elements)
            if plain:
                texts = [self.made.program.source(each.value) for each in node.elements]
                self.lines += [self._add(text, kind) for text in texts]
                return
        text = (
            listed.text
            if isinstance(node, cst.List | cst.Tuple)
            else f"{self.made.tight(listed)} or []"
        )
        self.lines += [f"for {self.each} in {text}:", "    " + self._add(self.each, kind)]

    @staticmethod
    def _add(text: str, kind: str = "pip") -> str:
        return f"{{env}}.python.conda_dependencies.add_{kind}_package({text})"
